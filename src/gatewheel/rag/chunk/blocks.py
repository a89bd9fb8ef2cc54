"""The top-level blocks of a document: what a section is made of, and where each kind of block may be cut.

Markdown is read by markdown-it-py (CommonMark with tables), blocks only; its line maps become spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from gatewheel.rag.chunk.cuts import INNER, LINES, LIST_ITEMS, PARAGRAPHS, SENTENCES
from gatewheel.rag.chunk.pack import Cut

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

WINDOW = 1 << 18  # characters parsed at a time: "- a" on every line takes 500 bytes of tokens for each of them

CUTS: dict[str, tuple[Cut, ...]] = {
    "paragraph": (PARAGRAPHS, SENTENCES, LINES),
    "list": (LIST_ITEMS, PARAGRAPHS, SENTENCES, LINES),
    "table": (LINES, SENTENCES),
    "code": (PARAGRAPHS, LINES),
    "source": (INNER, PARAGRAPHS, LINES),
    "html": (PARAGRAPHS, LINES, SENTENCES),
    "heading": (LINES,),
}
"""Where a block of each kind may be cut, the best place first."""

_KINDS = {
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "html_block": "html",
    "heading_open": "heading",
}
_NEWLINE = re.compile(r"\r\n?|\n")  # what markdown-it takes for the end of a line
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_ANCHOR = re.compile(r"\s*\{[#.:][^{}]*\}\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A span of one kind. `level` is 1 to 6 for a heading, else 0; `title` its text, or a table's header row."""

    start: int
    end: int
    kind: str
    level: int = 0
    title: str = ""


def markdown_blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text in order, without gaps. Takes linear time and bounded memory.

    A window is parsed at a time, and the next one begins with the last block of this one, which may go on.
    A list or table that fills a window is parted; a fence is not, or its lines would be read as Markdown.
    """
    start, size = 0, WINDOW
    while start < len(text):
        end = _line_end(text, start + size)
        blocks = list(_parse(text, start, end))
        if end < len(text) and blocks:
            if blocks[-1].start > start:
                end = blocks.pop().start
            elif blocks[0].kind in ("code", "html"):
                size *= 2
                continue
        for block, following in pairwise((*blocks, None)):
            if block:
                yield replace(block, end=following.start if following else end)
        start, size = end, WINDOW


def _line_end(text: str, offset: int) -> int:
    """The end of the line that holds `offset`: a line cut short might read as something else."""
    match = _NEWLINE.search(text, offset)
    return match.end() if match else len(text)


def text_blocks(text: str) -> Iterator[Block]:
    """The paragraphs of plain text."""
    edges = (0, *PARAGRAPHS(text, 0, len(text)), len(text))
    return (Block(start=start, end=end, kind="paragraph") for start, end in pairwise(edges))


def _parse(text: str, start: int, end: int) -> Iterator[Block]:
    source = text[start:end]
    lines = [0, *(match.end() for match in _NEWLINE.finditer(source)), len(source)]
    tokens = _parser().parse(source)
    for place, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        first, last = token.map
        block = Block(
            start=start + lines[first],
            end=start + lines[min(last, len(lines) - 1)],
            kind=_KINDS.get(token.type, "paragraph"),
        )
        if block.kind == "heading":
            block = replace(block, level=int(token.tag[1]), title=_plain(tokens[place + 1].content))
        elif block.kind == "table":
            block = replace(block, title=_table_header(tokens, place))
        yield block


def _plain(title: str) -> str:
    """A heading without its links, emphasis and anchor."""
    title = _LINK.sub(r"\1", _ANCHOR.sub("", title))
    return " ".join(title.replace("**", "").replace("`", "").split())


def _table_header(tokens: Sequence[Token], place: int) -> str:
    """The cells of the header row with bars between them."""
    cells = []
    for token in tokens[place:]:
        if token.type == "thead_close":
            break
        if token.type == "inline":
            cells.append(_plain(token.content))
    return " | ".join(cells)


@cache
def _parser() -> MarkdownIt:
    """Blocks only. Reference definitions stay paragraphs: they are text, and their rule is the slow one."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join", "reference"])
