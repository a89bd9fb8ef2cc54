"""Reads HTML into Markdown: headings, lists, tables, code and paragraphs; navigation and scripts are dropped.

Nothing is fetched. When dropping the noise would leave nothing (a page that is all <nav>), everything is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import markdown
from gatewheel.rag.read.encoding import decode
from gatewheel.rag.read.fault import reading, sound
from gatewheel.rag.read.html_blocks import blocks

_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HEAD = 4096


class Settings(BaseModel):
    """What to keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_navigation: bool = Field(default=False, description="Keep <nav>, page footers and buttons.")
    encoding: str = Field(default="", description="Encoding of every file; empty means to detect it.")


def create(settings: Settings) -> HtmlReader:
    """A reader for HTML files."""
    return HtmlReader(settings)


class HtmlReader:
    """One document a file, as Markdown."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """The page as Markdown; title from <title> or the first heading.

        Raises SourceError when the file cannot be opened or shows no text.
        """
        with reading("an HTML page", cure="open it in a browser and save it again"):
            data = path.read_bytes()
            declared = _CHARSET.search(data[:_HEAD])
            name = declared[1].decode("ascii", "replace") if declared else ""
            page, encoding = decode(data, encoding=self._settings.encoding, declared=name)
            root = _parse(page)
            text = blocks(root, keep_all=self._settings.keep_navigation)
            if not text.strip():
                text = blocks(root, keep_all=True)
            title = _title(root) or path.stem
        yield sound(
            Document(
                source=source,
                text=text,
                format="markdown",
                title=title,
                meta={"kind": "html", "encoding": encoding},
            )
        )


def _parse(page: str) -> Any:
    """The root element. Raises SourceError when there is none."""
    from lxml import etree

    # huge_tree: without it, what is nested deeper than 256 elements is lost without a word; the limit is then 2,048
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True)
    data = page.replace("\0", "\ufffd").encode("utf-8", "replace")
    root = etree.fromstring(data, parser) if data.strip() else None
    if root is None:
        raise SourceError("there is no text in it", cure="exclude it, or look whether it was saved whole")
    return root


def _title(root: Any) -> str:
    for tag in ("title", "h1", "h2"):
        for element in root.iter(tag):
            words = markdown.one_line("".join(element.itertext()))
            if words:
                return words
    return ""
