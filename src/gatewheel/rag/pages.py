"""Cuts a document into chunks page by page, so that a passage has one page and a citation names the right one.

A large text is cut slice by slice, so that what a chunker keeps while it works does not grow with the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from gatewheel.kernel.nouns import Chunk, Document
from gatewheel.kernel.ports import Chunker, Tokens

SLICE = 1 << 23  # characters; a chunker takes about twelve bytes for each while it works
EDGES = ("\n\n", "\n", " ")


def split(document: Document, chunker: Chunker, *, tokens: Tokens) -> Sequence[Chunk]:
    """The chunks of a document, in order; none crosses a start in `document.pages` or the edge of a slice.

    Each page is cut as a text of its own: cutting finished chunks again would leave crumbs of a few words.
    """
    bounds = sorted({0, *document.pages, *_slices(document), len(document.text)})
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


def _slices(document: Document) -> Iterator[int]:
    """Where a large document is parted: between paragraphs. Markdown stays whole for the headings above a passage."""
    text, start = document.text, 0
    while document.format != "markdown" and len(text) - start > SLICE:
        places = (text.rfind(edge, start + 1, start + SLICE) for edge in EDGES)
        start = next((place for place in places if place > 0), start + SLICE)
        yield start
