"""The text layer of a PDF, page by page."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from documents import encrypted
from documents import pdf as made
from gatewheel.kernel.errors import MissingPart, SourceError
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.rag.read import pdf


def read(data: bytes, folder: Path) -> Document:
    path = folder / "paper.pdf"
    path.write_bytes(data)
    document, *_ = pdf.create(pdf.Settings()).read(path, source="paper.pdf")
    assert isinstance(document, Document)
    return document


def test_pages_start_where_they_say(tmp_path: Path) -> None:
    document = read(made(["First page.\nSecond line.", "", "Third (page)."], title="On pumps"), tmp_path)
    first, second, third = document.pages
    assert document.text[first:second].strip() == "First page.\nSecond line."
    assert document.text[third:].strip() == "Third (page)."
    assert second == third
    assert document.meta["pages_without_text"] == [2]
    assert document.title == "On pumps"
    assert document.format == "text"


def test_a_last_page_without_text_starts_inside_the_text(tmp_path: Path) -> None:
    document = read(made(["words", ""]), tmp_path)
    assert document.pages[1] <= len(document.text)
    assert document.title == "paper"


def test_a_scan_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no text layer on any of its 3 pages; run OCR first, e\.g\. ocrmypdf"):
        read(made(["", "", ""]), tmp_path)


def test_an_encrypted_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"encrypted; .*password_env"):
        read(encrypted(), tmp_path)


def test_a_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(encrypted("words behind a lock", password="open sesame"))
    reader = pdf.create(pdf.Settings(password_env="PDF_KEY"))
    with pytest.raises(MissingPart, match="PDF_KEY is not set"):
        list(reader.read(path, source="paper.pdf"))
    monkeypatch.setenv("PDF_KEY", "sesame")
    with pytest.raises(MissingPart, match="PDF_KEY does not open it") as caught:
        list(reader.read(path, source="paper.pdf"))
    assert "sesame" not in str(caught.value)
    monkeypatch.setenv("PDF_KEY", "open sesame")
    [document] = reader.read(path, source="paper.pdf")
    assert isinstance(document, Document)
    assert document.text == "words behind a lock\n"


def test_pages_without_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(made(["words", "", "more", "", "", "", "end", ""]))
    document, refusal = pdf.create(pdf.Settings()).read(path, source="paper.pdf")
    assert isinstance(document, Document)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "no text layer on pages 2, 4-6, 8; run OCR first, e.g. ocrmypdf"


def test_a_word_that_a_line_break_cuts_is_whole_again(tmp_path: Path) -> None:
    assert "information" in read(made(["This infor-\nmation is one word."]), tmp_path).text


def test_threads_read_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.pdf" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(made([f"page {page} of {number}" for page in range(5)]))
    found: dict[str, str] = {}

    def work(path: Path) -> None:
        (document,) = pdf.create(pdf.Settings()).read(path, source=path.name)
        found[path.stem] = document.text

    threads = [threading.Thread(target=work, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"page 4 of {name}" in text for name, text in found.items())
    assert len(found) == 8
