"""Cuts a document into chunks page by page, so that a passage has one page and a citation names the right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from gatewheel.kernel.nouns import Chunk, Document
from gatewheel.kernel.ports import Chunker, Tokens


def split(document: Document, chunker: Chunker, *, tokens: Tokens) -> Sequence[Chunk]:
    """The chunks of a document, in order; none crosses a start in `document.pages`.

    Each page is cut as a text of its own: cutting finished chunks again would leave crumbs of a few words.
    """
    bounds = sorted({0, *document.pages, len(document.text)})
    if len(bounds) <= 2:
        return chunker.split(document, tokens=tokens)
    chunks: list[Chunk] = []
    for start, end in pairwise(bounds):
        if not (text := document.text[start:end]).strip():
            continue
        page = replace(document, text=text, pages=())
        chunks += [
            replace(chunk, start=start + chunk.start, end=start + chunk.end)
            for chunk in chunker.split(page, tokens=tokens)
        ]
    return chunks
