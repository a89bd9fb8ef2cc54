"""Reads the text layer of a PDF with PDFium. Knows no layout: text comes in the order in which the page draws it.

PDFium keeps global state and is not safe to call from two threads, hence one lock for all readers of a process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import MissingPart, SourceError
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.rag.read.fault import reading, sound

_PDFIUM = threading.Lock()
_HYPHENATED = re.compile("(?<=\\w)[\x02\ufffe]\r?\n?(?=\\w)")
_HYPHEN_MARKS = re.compile("[\x02\ufffe]")
_JUNK_TITLE = re.compile(r"^(?:microsoft (?:word|powerpoint) - |untitled|\(anonymous\)|unspecified)", re.IGNORECASE)


class Settings(BaseModel):
    """`[reader.pdf]`"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password_env: str = Field(
        "", description="The environment variable that holds the password of encrypted files; it is tried on each."
    )


def create(settings: Settings) -> PdfReader:
    """A reader for PDF files that have a text layer."""
    return PdfReader(settings)


class PdfReader:
    """One document a file; `pages` holds where each page starts, pages without text included."""

    def __init__(self, settings: Settings) -> None:
        self._variable = settings.password_env

    def read(self, path: Path, *, source: str) -> Iterator[Document | Refusal]:
        """The text of all pages, a blank line between two, then a refusal of the pages that have none.

        `meta["pages_without_text"]` counts from 1. Raises SourceError when the file is broken or has no text on any
        page, MissingPart when it is encrypted and its password is not in the environment.
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
        if bare:
            yield Refusal(source=source, reason=f"no text layer on {_pages(bare)}; run OCR first, e.g. ocrmypdf")

    def _extract(self, path: Path) -> tuple[list[str], str]:
        """The text of each page, and the title that the file gives itself."""
        import pypdfium2

        path.stat()  # PDFium calls a missing file a broken one
        try:
            pdf = pypdfium2.PdfDocument(path, password=os.environ.get(self._variable) if self._variable else None)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower() or "security" in str(error).lower():
                raise self._encrypted() from None
            raise
        try:
            texts = [_page_text(pdf, number) for number in range(len(pdf))]
            title = " ".join(pdf.get_metadata_value("Title").split())
        finally:
            pdf.close()
        return texts, "" if _JUNK_TITLE.match(title) else title

    def _encrypted(self) -> MissingPart:
        if not self._variable:
            cure = "remove its password, or name the variable that holds it: [reader.pdf] password_env"
            return MissingPart("the PDF is encrypted", cure=cure)
        if self._variable not in os.environ:
            return MissingPart(f"the PDF is encrypted and {self._variable} is not set", cure="set it to the password")
        return MissingPart(
            f"the PDF is encrypted and {self._variable} does not open it", cure="set it to this file's password"
        )


def _pages(numbers: list[int]) -> str:
    """`page 3`, or `pages 2, 5-9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return f"pages {shown}" if len(numbers) > 1 else f"page {shown}"


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
