"""The default chunker: passages along the structure of the document, each inside one section where it can be.

Whole blocks are gathered up to the target size; a block that is longer is cut where its kind allows: a paragraph
between sentences, a list between items, a table between rows, code at blank lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from gatewheel.kernel.nouns import Chunk, Document, Span
from gatewheel.kernel.ports import Tokens
from gatewheel.rag.chunk.blocks import CUTS, Block
from gatewheel.rag.chunk.pack import fit, pack, trimmed
from gatewheel.rag.chunk.ruler import Ruler
from gatewheel.rag.chunk.sections import Section, sections
from gatewheel.rag.chunk.sizes import OVERLAP, TOKENS, Overlap, Size, smaller_than_tokens

JOINED_PART = 2  # joining up to a whole passage lost 2 of 104 handbook questions at rank 1 and saved 2 % of passages


class Settings(BaseModel):
    """`[chunker.<name>] use = "structure"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tokens: Size = TOKENS
    overlap: Overlap = OVERLAP

    @field_validator("overlap")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        return smaller_than_tokens(value, info)


def create(settings: Settings) -> StructureChunker:
    """The chunker of these settings."""
    return StructureChunker(settings)


class StructureChunker:
    """Passages of at most `tokens` tokens, a heading always with the first passage below it.

    Neighbouring sections share a passage only if together they fill no more than half of it and the later one
    lies below the first or beside it. Overlap: inside a section a passage repeats as many whole blocks (or pieces
    of a block that was cut) from the end of the one before as hold at most `overlap` tokens; never across sections.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def split(self, document: Document, *, tokens: Tokens) -> Sequence[Chunk]:
        """Chunks in order that cover every character that is not white space."""
        ruler = Ruler(document.text, tokens)
        limit, overlap = self._settings.tokens, self._settings.overlap
        chunks: list[Chunk] = []
        for group in _groups(sections(document), ruler, limit // JOINED_PART):
            if len(group) > 1:
                spans = trimmed([(group[0].start, group[-1].end)], ruler)
            else:
                units = _with_introductions(_units(group[0].blocks, ruler, limit), ruler, limit)
                spans = pack(units, ruler=ruler, limit=limit, overlap=overlap)
            path = _common_path(group)
            tables = [block for section in group for block in section.blocks if block.kind == "table"]
            for start, end in spans:
                headings = path + _table_above(tables, start)
                chunks.append(Chunk(start=start, end=end, headings=headings, tokens=ruler.count(start, end)))
        return chunks


def _groups(found: Iterable[Section], ruler: Ruler, limit: int) -> Iterator[list[Section]]:
    """Runs of sections that hold at most `limit` tokens together and have the parent of the first in common."""
    group: list[Section] = []
    for section in found:
        if group:
            parent = group[0].path[:-1]
            related = section.path[: len(parent)] == parent
            if related and ruler.count(group[0].start, section.end) <= limit:
                group.append(section)
                continue
            yield group
        group = [section]
    if group:
        yield group


def _common_path(group: Sequence[Section]) -> tuple[str, ...]:
    paths = [section.path for section in group]
    levels = takewhile(lambda titles: len(set(titles)) == 1, zip(*paths, strict=False))
    return tuple(titles[0] for titles in levels)


def _units(blocks: Sequence[Block], ruler: Ruler, limit: int) -> list[Span]:
    """The blocks, cut to size; the headings in front become part of the first piece below them."""
    heads = sum(1 for block in blocks if block.level)
    if heads == len(blocks):
        return trimmed(_pieces(blocks, ruler, limit), ruler)
    start, body = blocks[0].start, blocks[heads:]
    room = limit - ruler.count(start, body[0].start)
    if heads and room >= limit // 2:
        first = trimmed(_pieces(body[:1], ruler, room), ruler)
        if first:
            rest = trimmed(_pieces(body[1:], ruler, limit), ruler)
            return [*trimmed([(start, first[0][1])], ruler), *first[1:], *rest]
    return trimmed(_pieces(blocks, ruler, limit), ruler)


def _with_introductions(units: Iterable[Span], ruler: Ruler, limit: int) -> list[Span]:
    """The units, with each that ends in a colon joined to the one it introduces where both fit in a passage."""
    joined: list[Span] = []
    for start, end in units:
        before = joined[-1] if joined else (start, start)
        if ruler.text[before[1] - 1] in ":：" and before[1] > before[0] and ruler.count(before[0], end) <= limit:
            joined[-1] = (before[0], end)
        else:
            joined.append((start, end))
    return joined


def _pieces(blocks: Iterable[Block], ruler: Ruler, limit: int) -> Iterator[Span]:
    for block in blocks:
        yield from fit((block.start, block.end), CUTS[block.kind], ruler=ruler, limit=limit)


def _table_above(tables: Sequence[Block], start: int) -> tuple[str, ...]:
    """The header row of the table inside which a passage begins: its rows mean little without."""
    place = bisect_right(tables, start, key=lambda table: table.start) - 1
    inside = place >= 0 and tables[place].start < start < tables[place].end
    return (tables[place].title,) if inside and tables[place].title else ()
