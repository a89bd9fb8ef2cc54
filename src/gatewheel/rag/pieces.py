"""The pieces of a document that the store and the encoder see, each made when it is asked for.

A text of 90 MB has a quarter of a million passages; all of them at once would be another 300 MB.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Generic, TypeVar, overload

from gatewheel.kernel.nouns import Chunk, Document, Passage
from gatewheel.kernel.ports import Entry

Made = TypeVar("Made")


class Lazily(Sequence[Made], Generic[Made]):
    """What `make` gives for each of `given`, anew at every reading."""

    def __init__(self, make: Callable[[Any], Made], given: Sequence[Any]) -> None:
        self._make = make
        self._given = given

    def __len__(self) -> int:
        return len(self._given)

    @overload
    def __getitem__(self, at: int) -> Made: ...
    @overload
    def __getitem__(self, at: slice) -> list[Made]: ...
    def __getitem__(self, at: int | slice) -> Made | list[Made]:
        if isinstance(at, slice):
            return [self._make(one) for one in self._given[at]]
        return self._make(self._given[at])


def entry(document: Document, chunks: Sequence[Chunk], *, sha256: str) -> Entry:
    """A document with its chunks, ready to be written."""
    contexts = Lazily(partial(context, document), chunks)
    return Entry(
        document=document,
        sha256=sha256,
        passages=Lazily(partial(passage, document), chunks),
        contexts=contexts,
        keys=Lazily(_key, contexts),
    )


def context(document: Document, chunk: Chunk) -> str:
    """What the encoder sees of a chunk: the document's title and the headings above it, then its text.

    A title that is only the file's name stays out, so that a renamed file keeps its vectors.
    """
    headings = _headings(document, chunk)
    if headings and headings[0] == document.title == PurePosixPath(document.source).stem:
        headings = headings[1:]
    text = document.text[chunk.start : chunk.end]
    return f"{' > '.join(headings)}\n{text}" if headings else text


def passage(document: Document, chunk: Chunk) -> Passage:
    """A chunk as a located piece: `document.text[span[0]:span[1]] == text`."""
    text = document.text[chunk.start : chunk.end]
    place = f"{document.source}\0{chunk.start}\0{chunk.end}\0{text}".encode("utf-8", "replace")
    return Passage(
        # it changes when the place or the words do, so that a trace never points at other words
        id=hashlib.blake2b(place, digest_size=8).hexdigest(),
        source=document.source,
        span=(chunk.start, chunk.end),
        text=text,
        heading=" > ".join(_headings(document, chunk)),
        page=bisect_right(document.pages, chunk.start) or None,
        tokens=chunk.tokens,
        title=document.title,
    )


def _key(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


def _headings(document: Document, chunk: Chunk) -> tuple[str, ...]:
    if not document.title or document.title in chunk.headings[:1]:
        return chunk.headings
    return (document.title, *chunk.headings)
