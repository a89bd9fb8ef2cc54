"""Reads Word documents (WordprocessingML, ECMA-376 part 1, section 17) into Markdown, in document order.

Walks the XML itself: python-docx passes over content controls, text boxes and tracked insertions, and their words
would be lost without a sign. Deleted text and field codes are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import markdown
from gatewheel.rag.read.docx_styles import Style, W, lists_of, number_of, style_of, styles_of
from gatewheel.rag.read.fault import reading, sound
from gatewheel.rag.read.package import Package

_SKIPPED = {
    f"{W}del",
    f"{W}moveFrom",
    f"{W}instrText",
    f"{W}delText",
    f"{W}pPr",
    f"{W}rPr",
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}
_SIGNS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": "\t"}
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_DEPTH_LIMIT = 200


class Settings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def create(settings: Settings) -> DocxReader:  # noqa: ARG001
    """A reader for Word documents."""
    return DocxReader()


class DocxReader:
    """One document a file, as Markdown."""

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """Headings, lists, tables, text boxes and notes as Markdown; title from the properties or the first heading.

        Raises SourceError when the file is broken, encrypted, a zip bomb or empty.
        """
        with reading("a Word document", cure="open it in a word processor and save it as .docx again"):
            with closing(Package(path)) as package:
                main = package.one("", "officeDocument")
                root = package.part(main)
                if root is None or root.tag != f"{W}document":
                    raise SourceError("a zip file, but no Word document", cure="save it as .docx again")
                word = _Word(styles=styles_of(package, main), lists=lists_of(package, main))
                word.blocks(root.find(f"{W}body"))
                for kind in ("footnotes", "endnotes"):
                    word.notes(package.part(package.one(main, kind)), kind)
                properties = package.properties()
            title = properties.pop("title", "") or word.first_heading or path.stem
            text, meta = word.sheet.text(), {**properties, "kind": "docx"}
        yield sound(Document(source=source, text=text, format="markdown", title=title, meta=meta))


@dataclass
class _Word:
    """The document as it is walked."""

    styles: dict[str, Style]
    lists: dict[tuple[str, int], bool]
    sheet: markdown.Sheet = field(default_factory=markdown.Sheet)
    first_heading: str = ""
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)
    _code: list[str] = field(default_factory=list)

    def blocks(self, parent: Any, depth: int = 0) -> None:
        """Every paragraph and table below an element, through whatever wraps them."""
        for element in () if parent is None or depth > _DEPTH_LIMIT else parent.iterchildren("*"):
            if element.tag == f"{W}p":
                self._paragraph(element)
                for box in _boxes(element):
                    self.blocks(box, depth + 1)
            elif element.tag == f"{W}tbl":
                self._table(element, depth)
            elif element.tag not in _SKIPPED:
                self.blocks(element, depth + 1)
        if depth == 0:
            self._end_code()

    def notes(self, root: Any, kind: str) -> None:
        """Footnotes or endnotes, each under the mark that stands in the text."""
        for note in () if root is None else root.iterchildren("*"):
            words = " ".join(filter(None, (_text(p).strip() for p in note.iter(f"{W}p"))))
            if words and note.get(f"{W}type") in (None, "normal"):
                self.sheet.add(f"[^{kind[0] if kind == 'endnotes' else ''}{note.get(f'{W}id')}]: {words}")

    def _paragraph(self, element: Any) -> None:
        text, style = _text(element).strip("\n"), style_of(element, self.styles)
        if style.code and style.level is None:
            self._code.append(text)
            return
        self._end_code()
        if not text.strip():
            return
        if style.level is not None:
            self.first_heading = self.first_heading or markdown.one_line(text)
            self.sheet.add(markdown.heading(style.level, text))
        elif style.number is not None:
            depth = min(style.number[1], 8)
            self.sheet.add(markdown.item(text, depth=depth, number=self._count(*style.number)), item=True)
        else:
            self.sheet.add(markdown.paragraph("\n".join(line.strip() for line in text.split("\n"))))

    def _count(self, list_id: str, depth: int) -> int | None:
        """The number of the next item of a list, or None where it has bullets."""
        for deeper in [key for key in self._counts if key[0] == list_id and key[1] > depth]:
            del self._counts[deeper]
        if not self.lists.get((list_id, depth), False):
            return None
        self._counts[list_id, depth] = self._counts.get((list_id, depth), 0) + 1
        return self._counts[list_id, depth]

    def _end_code(self) -> None:
        if self._code:
            self.sheet.add(markdown.fence("\n".join(self._code)))
            self._code.clear()

    def _table(self, element: Any, depth: int) -> None:
        """A table with two columns or more as rows; one that only frames text as that text."""
        self._end_code()
        rows = [list(row.iterchildren(f"{W}tc")) for row in element.iter(f"{W}tr") if _owner(row) is element]
        if max((len(row) for row in rows), default=0) < 2:
            for row in rows:
                for cell in row:
                    self.blocks(cell, depth + 1)
            return
        above: list[str] = []
        texts = []
        for row in rows:
            cells: list[str] = []
            for cell in row:
                span, merged = _merge(cell)
                words = " ".join(filter(None, (_text(p).strip() for p in cell.iter(f"{W}p"))))
                place = len(cells)
                cells.append(above[place] if merged and place < len(above) else words)
                cells.extend([""] * (span - 1))
            texts.append(cells)
            above = cells
        self.sheet.add(markdown.table(texts))


def _text(element: Any) -> str:
    """The words of one paragraph, without those of the text boxes in it."""
    parts: list[str] = []
    stack = [iter(element.iterchildren("*"))]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif child.tag in (f"{W}t", _MATH_TEXT):
            parts.append(child.text or "")
        elif child.tag in _SIGNS:
            parts.append(_SIGNS[child.tag])
        elif child.tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            mark = "e" if child.tag.endswith("endnoteReference") else ""
            parts.append(f"[^{mark}{child.get(f'{W}id')}]")
        elif child.tag not in _SKIPPED and child.tag != f"{W}txbxContent":
            stack.append(iter(child.iterchildren("*")))
    return "".join(parts)


def _boxes(paragraph: Any) -> list[Any]:
    """The text boxes of a paragraph; the copy that is kept for old programs is passed over."""
    old = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
    return [
        box
        for box in paragraph.iter(f"{W}txbxContent")
        if not any(above.tag in (old, f"{W}txbxContent") for above in box.iterancestors())
    ]


def _owner(row: Any) -> Any:
    return next(row.iterancestors(f"{W}tbl"), None)


def _merge(cell: Any) -> tuple[int, bool]:
    """How many columns a cell spans, and whether it goes on from the cell above."""
    span, down = cell.find(f"{W}tcPr/{W}gridSpan"), cell.find(f"{W}tcPr/{W}vMerge")
    width = number_of(span, 1) or 1
    return min(max(1, width), 64), down is not None and down.get(f"{W}val") != "restart"
