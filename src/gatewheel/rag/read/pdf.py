"""Reads the text layer of a PDF with PDFium. Knows no layout: text comes in the order in which the page draws it.

PDFium keeps global state and is not safe to call from two threads, hence one lock for all readers of a process.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read.fault import reading, sound

_PDFIUM = threading.Lock()
_HYPHENATED = re.compile("(?<=\\w)[\x02\ufffe]\r?\n?(?=\\w)")
_HYPHEN_MARKS = re.compile("[\x02\ufffe]")
_JUNK_TITLE = re.compile(r"^(?:microsoft (?:word|powerpoint) - |untitled|\(anonymous\)|unspecified)", re.IGNORECASE)


class Settings(BaseModel):
    """`password` opens encrypted files; it is tried on every encrypted file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: SecretStr = SecretStr("")


def create(settings: Settings) -> PdfReader:
    """A reader for PDF files that have a text layer."""
    return PdfReader(settings)


class PdfReader:
    """One document a file; `pages` holds where each page starts, pages without text included."""

    def __init__(self, settings: Settings) -> None:
        self._password = settings.password.get_secret_value() or None

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """The text of all pages, a blank line between two. `meta["pages_without_text"]` counts from 1.

        Raises SourceError when the file is broken, encrypted or has no text on any page.
        """
        with reading("a PDF", cure="open it in a viewer and save it again"), _PDFIUM:
            texts, title = self._extract(path)
        bare = [number for number, text in enumerate(texts, 1) if not text]
        if len(bare) == len(texts):
            count = f"any of its {len(texts)} pages" if len(texts) != 1 else "its only page"
            raise SourceError(f"no text layer on {count}", cure="run OCR first, e.g. ocrmypdf")
        starts, offset = [], 0
        for text in texts:
            starts.append(offset)
            offset += len(text) + 2 if text else 0
        text = "\n\n".join(filter(None, texts)) + "\n"
        meta: dict[str, Any] = {"kind": "pdf", "page_count": len(texts)}
        if bare:
            meta["pages_without_text"] = bare
        yield sound(
            Document(
                source=source,
                text=text,
                format="text",
                title=title or path.stem,
                pages=tuple(min(start, len(text)) for start in starts),
                meta=meta,
            )
        )

    def _extract(self, path: Path) -> tuple[list[str], str]:
        """The text of each page, and the title that the file gives itself."""
        import pypdfium2

        path.stat()  # PDFium calls a missing file a broken one
        try:
            pdf = pypdfium2.PdfDocument(path, password=self._password)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower() or "security" in str(error).lower():
                cure = "remove its password, or set one under [reader.pdf] password"
                raise SourceError("the PDF is encrypted", cure=cure) from None
            raise
        try:
            texts = [_page_text(pdf, number) for number in range(len(pdf))]
            title = " ".join(pdf.get_metadata_value("Title").split())
        finally:
            pdf.close()
        return texts, "" if _JUNK_TITLE.match(title) else title


def _page_text(pdf: Any, number: int) -> str:
    """The text of one page; empty when the page is damaged, so that it is named with those without text."""
    import pypdfium2

    try:
        page = pdf[number]
        layer = page.get_textpage()
        raw: str = layer.get_text_bounded()
        layer.close()
        page.close()
    except pypdfium2.PdfiumError:
        return ""
    # PDFium marks a hyphen that a line break put into a word; without the join the word cannot be found.
    whole = _HYPHEN_MARKS.sub("-", _HYPHENATED.sub("", raw))
    return whole.replace("\r\n", "\n").replace("\r", "\n").strip()
