"""The sections of a document: the blocks below one heading, or one top-level definition of source code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from gatewheel.kernel.nouns import Document
from gatewheel.rag.chunk.blocks import Block, markdown_blocks, text_blocks
from gatewheel.rag.chunk.cuts import DEFINITIONS

LONGEST_SIGNATURE = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Blocks in order, the headings among them in front; `path` is the heading path, outermost first."""

    path: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def start(self) -> int:
        return self.blocks[0].start

    @property
    def end(self) -> int:
        return self.blocks[-1].end


def sections(document: Document) -> Iterator[Section]:
    """The sections by the document's format: markdown, code, or anything else as plain text in one section."""
    if document.format == "markdown":
        yield from _below_headings(markdown_blocks(document.text))
    elif document.format == "code":
        yield from _definitions(document.text)
    elif document.text:
        yield Section(path=(), blocks=tuple(text_blocks(document.text)))


def _below_headings(blocks: Iterable[Block]) -> Iterator[Section]:
    """A heading with nothing below it belongs to the section that follows."""
    path: list[tuple[int, str]] = []
    held: list[Block] = []
    for block in blocks:
        if block.level:
            if held and not held[-1].level:
                yield Section(path=_titles(path), blocks=tuple(held))
                held = []
            path = [above for above in path if above[0] < block.level] + [(block.level, block.title)]
        held.append(block)
    if held:
        yield Section(path=_titles(path), blocks=tuple(held))


def _titles(path: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(title for _, title in path if title)


def _definitions(text: str) -> Iterator[Section]:
    """A definition's first line is the heading of all its passages."""
    for start, end in pairwise((0, *DEFINITIONS(text, 0, len(text)), len(text))):
        if start < end:
            block = Block(start=start, end=end, kind="source")
            yield Section(path=_signature(text, start, end), blocks=(block,))


def _signature(text: str, start: int, end: int) -> tuple[str, ...]:
    """The first line that is neither comment nor decorator nor closes something."""
    for line in text[start : min(end, start + 4096)].splitlines():
        line = line.strip()
        if line and not line.startswith(("#", "//", "/*", "*", "--", "@", "}", ")", "]", '"""', "'''", "<!--")):
            return (line[:LONGEST_SIGNATURE].rstrip(" {:"),)
    return ()
