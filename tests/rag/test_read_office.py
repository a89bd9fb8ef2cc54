"""Word and PowerPoint files: everything a reader sees on the page, in the order of the page."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents import docx as made_docx
from documents import pptx as made_pptx
from documents import zipped
from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import docx, pptx

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(data: bytes, folder: Path, name: str = "manual.docx") -> Document:
    path = folder / name
    path.write_bytes(data)
    reader = docx.create(docx.Settings()) if name.endswith("docx") else pptx.create(pptx.Settings())
    (document,) = reader.read(path, source=name)
    return document


def changed(data: bytes, part: str, old: str, new: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old.encode() in parts[part]
    return zipped(parts | {part: parts[part].replace(old.encode(), new.encode(), 1)})


def test_word_in_document_order(tmp_path: Path) -> None:
    document = read(made_docx(), tmp_path)
    assert document.title == "Pump manual"
    assert document.text == (
        "# Installation\n\nClose the valve before you begin.\n\n- a spanner\n- a bucket\n\n"
        "| Model | Pressure |\n| --- | --- |\n| P-100 | 6 bar |\n\n"
        "## First run\n\n1. open the valve\n2. switch it on\n"
    )


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<w:sdt><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>", "in a control"),
        (
            "<w:p><w:ins><w:r><w:t>inserted</w:t></w:r></w:ins><w:del><w:r><w:delText>x</w:delText></w:r></w:del></w:p>",
            "inserted",
        ),
        ("<w:p><w:r><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></w:r></w:p>", "in a box"),
        (
            "<w:p><w:hyperlink><w:r><w:t>a link</w:t></w:r></w:hyperlink><w:r><w:tab/><w:t>end</w:t></w:r></w:p>",
            "a link\tend",
        ),
        ("<w:p><w:pPr><w:outlineLvl w:val='2'/></w:pPr><w:r><w:t>By level</w:t></w:r></w:p>", "### By level"),
        ("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>framed</w:t></w:r></w:p></w:tc></w:tr></w:tbl>", "framed"),
        ("<w:p><w:r><w:t># 5 is free</w:t></w:r></w:p>", "\\# 5 is free"),
    ],
)
def test_word_text_that_is_not_in_plain_paragraphs(xml: str, text: str, tmp_path: Path) -> None:
    data = changed(made_docx(), "word/document.xml", "<w:body>", f"<w:body>{xml}")
    assert read(data, tmp_path).text.split("\n\n")[0] == text


def test_merged_cells_of_a_word_table_repeat_their_text(tmp_path: Path) -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"

    start, more = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    rows = [cell("City") + cell("Year"), cell("Lima", start) + cell("2023"), cell("", more) + cell("2024")]
    xml = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    text = read(changed(made_docx(), "word/document.xml", "<w:body>", f"<w:body>{xml}"), tmp_path).text
    assert "| Lima | 2023 |\n| Lima | 2024 |" in text


def test_slides(tmp_path: Path) -> None:
    document = read(made_pptx(), tmp_path, "show.pptx")
    first, second = document.pages
    assert document.text[first:second] == (
        "# Results of the year\n\n- Sales grew\n    - Costs fell\n\nSpeaker notes: Thank the team.\n\n"
    )
    assert document.text[second:] == "# Slide 2\n\n| Region | Sales |\n| --- | --- |\n| North | 12 |\n"
    assert document.title == "Results of the year"


@pytest.mark.parametrize("name", ["manual.docx", "show.pptx"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "encrypted"),
        (b"no zip at all", "File is not a zip file"),
        (zipped({"a.txt": b"hello"}), "a zip file, but no"),
    ],
)
def test_other_files_under_an_office_name(name: str, data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=reason):
        read(data, tmp_path, name)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    data = changed(made_docx(), "word/document.xml", "<w:body>", "<w:body>" + " " * (65 << 20))
    assert len(data) < 1 << 20
    with pytest.raises(SourceError, match="unpacks to 65 MB"):
        read(data, tmp_path)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    xml = f"{bomb}<w:document {W}><w:body><w:p><w:r><w:t>before</w:t><w:t>&b;</w:t></w:r></w:p></w:body></w:document>"
    with zipfile.ZipFile(io.BytesIO(made_docx())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = read(zipped(parts | {"word/document.xml": xml.encode()}), tmp_path).text
    assert "before" in text
    assert "haha" not in text


@pytest.mark.parametrize(("name", "make"), [("manual.docx", made_docx), ("show.pptx", made_pptx)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_odd_xml_inside_gives_text_or_a_source_error(
    name: str, make: object, data: st.DataObject, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(make())) as archive:  # type: ignore[operator]
        parts = {part: archive.read(part) for part in archive.namelist()}
    part = data.draw(st.sampled_from(sorted(p for p in parts if p.endswith((".xml", ".rels")))))
    values = list(re.finditer(rb'"([^"<>]*)"|<([^/?!][^>]*?)/>', parts[part]))
    chosen = data.draw(st.sampled_from(values))
    new = data.draw(st.sampled_from([b'""', b'"-1"', b'"99999999999"', b'"x"', b'"../../.."', b'"\xc2\xb2"', b"<x/>"]))
    parts[part] = parts[part][: chosen.start()] + new + parts[part][chosen.end() :]
    try:
        assert read(zipped(parts), tmp_path, name).text.strip()
    except SourceError as error:
        reason = str(error)
    else:
        reason = ""
    assert "\n" not in reason
