"""Makes small real files of every format, so that tests read what users have and not what a mock says."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence


def pdf(pages: Sequence[str], *, title: str = "") -> bytes:
    """A PDF with one page for each text; an empty text makes a page with a drawing and no text layer."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, text in enumerate(pages):
        lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n")]
        shown = " ".join(f"({line}) Tj T*" for line in lines)
        content = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET" if text else "100 100 200 200 re f"
        resources = "<< /Font << /F1 3 0 R >> >>"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {resources}"
        objects.append(f"{page} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    out += f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def encrypted(text: str = "words", *, password: str = "secret") -> bytes:
    """A PDF of one page that opens with a password: RC4 of 40 bits, ISO 32000-1, 7.6.3."""
    filling = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
    padded = (password.encode() + filling)[:32]
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + (-4).to_bytes(4, "little", signed=True) + bytes(16)).digest()[:5]
    entry = f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{owner.hex()}> /U <{_rc4(key, filling).hex()}> >>"
    plain = pdf([text])
    start = plain.index(b"stream\n") + len(b"stream\n")
    end = plain.index(b"\nendstream")
    of_object = hashlib.md5(key + (5).to_bytes(3, "little") + bytes(2)).digest()[:10]
    locked = plain[:start] + _rc4(of_object, plain[start:end]) + plain[end:]
    return locked.replace(b"<< /Size", f"<< /Encrypt {entry} /ID [<{'00' * 16}> <{'00' * 16}>] /Size".encode())


def _rc4(key: bytes, data: bytes) -> bytes:
    box, at = list(range(256)), 0
    for place in range(256):
        at = (at + box[place] + key[place % len(key)]) % 256
        box[place], box[at] = box[at], box[place]
    out, one, two = bytearray(), 0, 0
    for byte in data:
        one = (one + 1) % 256
        two = (two + box[one]) % 256
        box[one], box[two] = box[two], box[one]
        out.append(byte ^ box[(box[one] + box[two]) % 256])
    return bytes(out)


def docx() -> bytes:
    """A Word document with headings, lists, a table between paragraphs and a title in its properties."""
    from docx import Document

    document = Document()
    document.core_properties.title = "Pump manual"
    document.add_heading("Installation", 1)
    document.add_paragraph("Close the valve before you begin.")
    document.add_paragraph("a spanner", style="List Bullet")
    document.add_paragraph("a bucket", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for place, words in enumerate(("Model", "Pressure", "P-100", "6 bar")):
        table.cell(place // 2, place % 2).text = words
    document.add_heading("First run", 2)
    document.add_paragraph("open the valve", style="List Number")
    document.add_paragraph("switch it on", style="List Number")
    return _saved(document)


def pptx() -> bytes:
    """Two slides: a title with bullets and speaker notes; a table without a title."""
    from pptx import Presentation

    show = Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Results of the year"
    first.placeholders[1].text = "Sales grew\nCosts fell"
    first.placeholders[1].text_frame.paragraphs[1].level = 1
    first.notes_slide.notes_text_frame.text = "Thank the team."
    second = show.slides.add_slide(show.slide_layouts[6])
    table = second.shapes.add_table(2, 2, 0, 0, 9_000, 9_000).table
    for place, words in enumerate(("Region", "Sales", "North", "12")):
        table.cell(place // 2, place % 2).text = words
    return _saved(show)


def notebook() -> bytes:
    """A notebook of version 4 with prose, code and an output."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Rainfall\n", "\n", "Monthly means."]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "print(mean(rain))",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["81.5\n"]}],
        },
    ]
    about = {"kernelspec": {"name": "python3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}).encode()


def zipped(parts: dict[str, bytes]) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def samples() -> dict[str, tuple[str, bytes]]:
    """For each reader of the catalog a file name and its bytes."""
    return {
        "text": ("guide.md", b"---\ntitle: Guide\n---\n# Start\n\nInstall it, then run it.\n"),
        "html": ("page.html", b"<title>Page</title><h1>Hello</h1><p>One &amp; two.</p><ul><li>three</ul>"),
        "pdf": ("paper.pdf", pdf(["First page.", "", "Third page."])),
        "docx": ("manual.docx", docx()),
        "pptx": ("show.pptx", pptx()),
        "notebook": ("rain.ipynb", notebook()),
        "table": ("cities.csv", b"city,people\nLima,10092000\nQuito,1978000\n"),
        "jsonl": ("notes.jsonl", b'{"id": "a", "text": "first"}\n{"id": "b", "text": "second"}\n'),
    }


def _saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()
