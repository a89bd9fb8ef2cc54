"""Bytes to text: byte order mark, then strict UTF-8, then what the file declares, then a statistical guess.

Line ends become "\\n", as Python's own text files have them, so that an offset into a Document is the offset into
`path.read_text(encoding=document.meta["encoding"])` on every system, and a file checked out on Windows gives the
passages that it gives on Linux. Nothing else about the text is changed.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from gatewheel.kernel.errors import SourceError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WEB_NAMES = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252", "gb2312": "gbk"}
_LEGACY = """
    cp1252 cp1250 iso8859_2 cp1251 koi8_r cp866 cp1253 cp1254 cp1255 cp1256 cp1257 cp874 cp850 mac_roman
    cp932 euc_jp gb18030 big5hkscs cp949
"""
_BLOCK = 1 << 20
_SAMPLE = 1 << 15


def decode(data: bytes, *, encoding: str = "", declared: str = "") -> tuple[str, str]:
    """Text and the name of the encoding it had; `encoding` is an order, `declared` a hint.

    Raises SourceError when the ordered encoding does not exist. Bytes that do not fit become U+FFFD.
    """
    name = known(encoding) if encoding else telling(data[:_SAMPLE])
    if name:
        text = data.decode(name, errors="replace")
    else:
        try:
            name, text = "utf-8", data.decode("utf-8")
        except UnicodeDecodeError:
            name = "utf-8" if _is_damaged(data) else _declared(data, declared) or guess(data)
            text = data.decode(name, errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, name


def encoding_of(path: Path) -> str:
    """The encoding of a file too large to hold: it is read once, a mebibyte at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        name = telling(block[:_SAMPLE])
        if name:
            return name
        while block:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return "utf-8" if _is_damaged(block) else guess(block)
            block = file.read(_BLOCK)
    return "utf-8"


def known(encoding: str) -> str:
    """The encoding's name as Python has it.

    Raises SourceError when there is none.
    """
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise SourceError(
            f"no encoding named '{encoding}'", cure="give one that Python knows, such as 'cp1252'"
        ) from None


def telling(sample: bytes) -> str:
    """The encoding that the first bytes give away, or an empty text."""
    # escape sequences are ASCII, so UTF-8 takes ISO-2022-JP for text
    return marked(sample) or wide(sample) or ("iso2022_jp" if b"\x1b$B" in sample else "")


def marked(data: bytes) -> str:
    """The encoding that a byte order mark at the start names, or an empty text."""
    return next((name for mark, name in _BOMS if data.startswith(mark)), "")


def wide(sample: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where the NUL bytes of its Latin letters and spaces stand."""
    controls = sample.translate(None, b"\0\t\n\r" + bytes(range(32, 256)))
    if b"\0" not in sample or len(controls) * 20 > len(sample):
        return ""
    quarter = [sample[place::4].count(0) / max(1, len(sample) / 4) for place in range(4)]
    if min(quarter[1:]) > 0.9 and quarter[0] < 0.1:
        return "utf-32-le"
    if min(quarter[:3]) > 0.9 and quarter[3] < 0.1:
        return "utf-32-be"
    even, odd = (quarter[0] + quarter[2]) / 2, (quarter[1] + quarter[3]) / 2
    if odd > 0.2 and even < 0.02:
        return "utf-16-le"
    return "utf-16-be" if even > 0.2 and odd < 0.02 else ""


def _is_damaged(data: bytes) -> bool:
    """UTF-8 with a few broken bytes: legacy text hardly ever forms whole UTF-8 sequences by chance."""
    text = data[:_BLOCK].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = len(text) - broken - sum(map(str.isascii, text))
    return whole > 4 * broken


def _declared(data: bytes, declared: str) -> str:
    """The declared encoding when it exists and fits the bytes, read as browsers read its name."""
    name = _WEB_NAMES.get(declared.strip().lower(), declared.strip())
    try:
        if not name or codecs.lookup(name).name.startswith(("utf", "unicode", "raw", "idna", "punycode")):
            return ""
        data.decode(name, errors="strict" if name != "cp1252" else "replace")
    except (LookupError, ValueError, AssertionError):
        return ""
    return codecs.lookup(name).name


def guess(data: bytes) -> str:
    """The most likely legacy encoding; cp1252 when nothing fits.

    Only lines with bytes above 127 are looked at: they alone tell encodings apart, and a line is a whole unit in
    every encoding that gets this far.
    """
    from charset_normalizer import from_bytes

    lines = re.findall(rb"[^\n]*[\x80-\xff][^\n]*", data[: 64 * _SAMPLE])
    sample, size = [], 0
    for line in lines:
        sample.append(line[:_SAMPLE])
        size += len(line)
        if size > _SAMPLE:
            break
    text = b"\n".join(sample)
    matches = list(from_bytes(text, cp_isolation=_LEGACY.split()))
    if not matches:
        return "cp1252"
    best = matches[0]
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    # Measured on 21 samples: the library ties cp1250 and cp1252 and names cp1250, wrong for French, Spanish, quotes.
    if western and western.chaos < best.chaos + 0.01 and western.coherence > best.coherence - 0.05:
        return "cp1252"
    rare = sum(byte > 127 for byte in text) * 4 < len(text)
    return "cp1252" if rare and not best.coherence else codecs.lookup(best.encoding).name
