"""Blocks of Markdown in the making: HTML, DOCX, PPTX and notebooks become it, so that one chunker serves all.

Plain on purpose: no emphasis, no link targets. A citation shows this text, and an encoder reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LOOKS_LIKE_A_BLOCK = re.compile(r"^(?=#{1,6}(?:\s|$)|```|~~~|={3,}\s*$|-{3,}\s*$)", re.MULTILINE)
_FENCES = re.compile(r"`{3,}")


class Sheet:
    """Blocks with a blank line between them; consecutive list items stand on consecutive lines."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._after_item = False

    def add(self, block: str, *, item: bool = False) -> None:
        """Append a block; one of white space alone is dropped."""
        if not block.strip():
            return
        if self._parts:
            self._append("\n" if item and self._after_item else "\n\n")
        self._append(block)
        self._after_item = item

    def start(self) -> int:
        """Offset at which the next block will start, unless it is an item that follows an item."""
        return self._size + (2 if self._parts else 0)

    def text(self) -> str:
        """The whole sheet, with a line end after the last block."""
        return "".join(self._parts) + "\n" if self._parts else ""

    def _append(self, piece: str) -> None:
        self._parts.append(piece)
        self._size += len(piece)


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def heading(level: int, text: str) -> str:
    """An ATX heading, level 1 to 6; empty when the text is."""
    line = one_line(text)
    return f"{'#' * min(6, max(1, level))} {line}" if line else ""


def paragraph(text: str) -> str:
    r"""Text whose lines cannot be taken for headings or fences.

    >>> paragraph("# 1 of the list")
    '\\# 1 of the list'
    """
    return _LOOKS_LIKE_A_BLOCK.sub(r"\\", text)


def item(text: str, *, depth: int, number: int | None = None) -> str:
    """One line of a list; `depth` counts from 0, and four spaces nest under "-" and "10." alike."""
    line = one_line(text)
    return f"{'    ' * depth}{'-' if number is None else f'{number}.'} {line}" if line else ""


def fence(text: str, language: str = "") -> str:
    """A fenced code block, its fence longer than any inside."""
    if not text.strip():
        return ""
    ticks = "`" * max(3, 1 + max((len(run) for run in _FENCES.findall(text)), default=0))
    name = re.sub(r"[^\w+#.-]", "", language)
    return f"{ticks}{name}\n{text.strip(chr(10)).rstrip()}\n{ticks}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A pipe table whose first row is the head; a table of one column becomes paragraphs, as it only lays out."""
    filled = [[one_line(cell) for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    width = max((len(row) for row in filled), default=0)
    if width < 2 or len(filled) < 2:
        return "\n\n".join(paragraph(cell) for row in filled for cell in row if cell)
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row + [""] * (width - len(row))) + " |" for row in filled
    ]
    lines.insert(1, "|" + " --- |" * width)
    return "\n".join(lines)
