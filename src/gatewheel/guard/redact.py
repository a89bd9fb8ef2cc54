"""Blacks out what belongs to people in a text: addresses, numbers, keys. Each becomes its kind, such as [email].

Every pattern takes time linear in the text: what may fail in the end is bounded in length, what is unbounded cannot
fail. A match that begins with a letter or digit has none before it and none follows any match, so that blacking out
one never uncovers another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from gatewheel.kernel.nouns import Span

SIGNS = 8  # different ones that a token has at least which is as good as random

_EMAIL = re.compile(r"(?<!\w)\w[\w.%+-]{0,63}+@(?:[\w-]{1,63}+\.){1,8}(?:[^\W\d_]{2,63}|xn--[\w-]{1,59})(?!\w)")
_CARD = re.compile(  # ISO/IEC 7812, in a row or in groups of 4-4-4-4 (and up to 3), or of 4-6-5 or 4-6-4
    r"(?<!\w)(?:\d{13,19}|\d{4}([ -])\d{6}\1\d{4,5}|\d{4}([ -])\d{4}\2\d{4}\2\d{1,4}(?:\2\d{1,3})?)(?!\w)"
)
_IBAN = re.compile(  # ISO 13616, in a row or in groups of four
    r"(?<!\w)(?:[A-Za-z]{2}\d\d[A-Za-z0-9]{11,30}|[A-Z]{2}\d\d(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?!\w)"
)
_PHONE = re.compile(
    # +49 (0)30 123-4567, 0049 30 1234567
    r"(?:\+|(?<!\w)00)[1-9](?:[ ./-]{0,2}\(?\d\)?){5,12}[ ./-]{0,2}\d(?!\w)"
    # (555) 123-4567, 555-123-4567, 1 555 123 4567
    r"|(?:(?<!\w)1[ .-])?(?:\(\d{3}\) ?|(?<!\w)\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)"
    # 030 1234567, 0171/123 45 67, 01 23 45 67 89, (030) 1234567
    r"|(?:\(0\d{1,4}\)|(?<!\w)0\d{1,4})[ /-](?:\d[ -]?){4,9}\d(?!\w)"
)
_DATE = re.compile(r"\d\d[ /-]\d\d[ /-](?:19|20)\d\d")
_IP = re.compile(
    r"(?<!\w)(?:\d{1,3}\.){3}\d{1,3}(?!\w)"
    r"|(?:(?<![\w:])[0-9A-Fa-f]{1,4}:|(?<![\w\]:])::)"  # std::dead is no address, nor is [email]::dead
    r"(?:[0-9A-Fa-f]{0,4}:){0,6}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4})(?![\w:])"
)
_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
_BLOCK_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
_KNOWN = re.compile(
    r"(?<!\w)(?:"
    r"(?:sk|pk|rk)[-_][\w-]{16,}+"  # OpenAI, Anthropic, Stripe
    r"|(?:gw|glpat)[-_][\w-]{20,}+"  # Gatewheel, GitLab
    r"|(?:gh[pousr]|github_pat|hf|npm)_\w{30,}+"
    r"|pypi-[\w-]{40,}+"
    r"|xox[abeprs]-[\w-]{10,}+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)"
    r"|AIza[\w-]{35,}+"
    r")"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{10,}+\.[\w-]{10,}+(?:\.[\w-]*+)?")
_BEARER = re.compile(r"(?<!\w)(?i:bearer|basic)[ \t]{1,4}([\w.~+/=-]{16,}+)")
_TOLD = re.compile(
    r"(?i:api[ _-]?key|access[ _-]?key|secret|token|passw(?:or)?d|passphrase|credential)(?i:s|[ _-]key|[ _-]id)?"
    r"""["']?[ \t]{0,4}(?:=>|[:=]|is\b)[ \t]{0,4}["']?([\w.~+/=!@#$%^&*-]{12,}+)"""
)


def redact(text: str, kinds: Iterable[str]) -> str:
    """The text with what is of these kinds blacked out; where two overlap, both go under the name of the first.

    Raises KeyError for a kind that is not in KINDS.
    """
    found = sorted((start, end, kind) for kind in kinds for start, end in KINDS[kind](text))
    if not found:
        return text
    pieces: list[str] = []
    done = 0
    for start, end, kind in found:
        if start >= done:
            pieces += text[done:start], f"[{kind}]"
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _emails(text: str) -> Iterator[Span]:
    for match in _from_each_start(_EMAIL, text):
        yield match.span()


def _phones(text: str) -> Iterator[Span]:
    for match in _from_each_start(_PHONE, text):
        if not _DATE.match(match[0]):
            yield match.span()


def _cards(text: str) -> Iterator[Span]:
    """Those whose last digit is Luhn's check digit (ISO/IEC 7812-1, annex B)."""
    for match in _from_each_start(_CARD, text):
        # the last group may be the code on its back
        for number in (match[0], re.split(r"[ -](?=\d+$)", match[0])[0]):
            digits = number.replace(" ", "").replace("-", "")
            if len(digits) >= 13 and digits[0] in "23456" and _luhn(digits):
                yield match.start(), match.start() + len(number)
                break


def _ibans(text: str) -> Iterator[Span]:
    """Those of 15 to 34 signs whose number is 1 modulo 97 (ISO 13616)."""
    for match in _from_each_start(_IBAN, text):
        number = match[0]
        while len(number) >= 15:
            signs = number.replace(" ", "").upper()
            if int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1:
                yield match.start(), match.start() + len(number)
                break
            number = number.rpartition(" ")[0]  # what follows it in capitals is no part of it


def _addresses(text: str) -> Iterator[Span]:
    for match in _from_each_start(_IP, text):
        try:
            ip_address(match[0])
        except ValueError:
            continue
        yield match.span()


def _secrets(text: str) -> Iterator[Span]:
    end = 0
    for block in _BLOCK.finditer(text):
        if block.start() >= end:
            closing = _BLOCK_END.search(text, block.end())
            end = closing.end() if closing else len(text)  # cut off: what is left of it is still a key
            yield block.start(), end
    for pattern in (_KNOWN, _JWT):
        yield from (match.span() for match in pattern.finditer(text))
    for pattern in (_BEARER, _TOLD):
        yield from (match.span(1) for match in pattern.finditer(text) if _is_random(match[1]))


KINDS: dict[str, Callable[[str], Iterator[Span]]] = {
    "email": _emails,
    "phone": _phones,
    "card": _cards,
    "iban": _ibans,
    "ip": _addresses,
    "secret": _secrets,
}


def _from_each_start(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches that may overlap: one that proves to be none must not hide the next. For patterns of bounded length."""
    at = 0
    while match := pattern.search(text, at):
        yield match
        at = match.start() + 1


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and len(set(digits)) > 1


def _is_random(token: str) -> bool:
    """Not a word: many different signs, among them two of small letters, capitals and digits."""
    # unlike entropy this cannot grow when a part is blacked out
    signs = set(token)
    kinds = any(map(str.islower, signs)) + any(map(str.isupper, signs)) + any(map(str.isdigit, signs))
    return len(signs) >= SIGNS and kinds >= 2
