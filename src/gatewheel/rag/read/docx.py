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
from gatewheel.rag.read.fault import reading, sound
from gatewheel.rag.read.package import Package

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = {
    f"{_W}del",
    f"{_W}moveFrom",
    f"{_W}instrText",
    f"{_W}delText",
    f"{_W}pPr",
    f"{_W}rPr",
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}
_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-", f"{_W}ptab": "\t"}
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
                if root is None or root.tag != f"{_W}document":
                    raise SourceError("a zip file, but no Word document", cure="save it as .docx again")
                word = _Word(styles=_styles(package, main), lists=_lists(package, main))
                word.blocks(root.find(f"{_W}body"))
                for kind in ("footnotes", "endnotes"):
                    word.notes(package.part(package.one(main, kind)), kind)
                properties = package.properties()
            title = properties.pop("title", "") or word.first_heading or path.stem
            text, meta = word.sheet.text(), {**properties, "kind": "docx"}
        yield sound(Document(source=source, text=text, format="markdown", title=title, meta=meta))


@dataclass
class _Style:
    """What a paragraph style says about structure. `level` is that of a heading, from 1."""

    level: int | None = None
    number: tuple[str, int] | None = None
    code: bool = False


@dataclass
class _Word:
    """The document as it is walked."""

    styles: dict[str, _Style]
    lists: dict[tuple[str, int], bool]
    sheet: markdown.Sheet = field(default_factory=markdown.Sheet)
    first_heading: str = ""
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)
    _code: list[str] = field(default_factory=list)

    def blocks(self, parent: Any, depth: int = 0) -> None:
        """Every paragraph and table below an element, through whatever wraps them."""
        for element in () if parent is None or depth > _DEPTH_LIMIT else parent.iterchildren("*"):
            if element.tag == f"{_W}p":
                self._paragraph(element)
                for box in _boxes(element):
                    self.blocks(box, depth + 1)
            elif element.tag == f"{_W}tbl":
                self._table(element, depth)
            elif element.tag not in _SKIPPED:
                self.blocks(element, depth + 1)
        if depth == 0:
            self._end_code()

    def notes(self, root: Any, kind: str) -> None:
        """Footnotes or endnotes, each under the mark that stands in the text."""
        for note in () if root is None else root.iterchildren("*"):
            words = " ".join(filter(None, (_text(p).strip() for p in note.iter(f"{_W}p"))))
            if words and note.get(f"{_W}type") in (None, "normal"):
                self.sheet.add(f"[^{kind[0] if kind == 'endnotes' else ''}{note.get(f'{_W}id')}]: {words}")

    def _paragraph(self, element: Any) -> None:
        text, style = _text(element).strip("\n"), _own_style(element, self.styles)
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
        rows = [list(row.iterchildren(f"{_W}tc")) for row in element.iter(f"{_W}tr") if _owner(row) is element]
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
                words = " ".join(filter(None, (_text(p).strip() for p in cell.iter(f"{_W}p"))))
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
        elif child.tag in (f"{_W}t", _MATH_TEXT):
            parts.append(child.text or "")
        elif child.tag in _SIGNS:
            parts.append(_SIGNS[child.tag])
        elif child.tag in (f"{_W}footnoteReference", f"{_W}endnoteReference"):
            mark = "e" if child.tag.endswith("endnoteReference") else ""
            parts.append(f"[^{mark}{child.get(f'{_W}id')}]")
        elif child.tag not in _SKIPPED and child.tag != f"{_W}txbxContent":
            stack.append(iter(child.iterchildren("*")))
    return "".join(parts)


def _boxes(paragraph: Any) -> list[Any]:
    """The text boxes of a paragraph; the copy that is kept for old programs is passed over."""
    old = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
    return [
        box
        for box in paragraph.iter(f"{_W}txbxContent")
        if not any(above.tag in (old, f"{_W}txbxContent") for above in box.iterancestors())
    ]


def _owner(row: Any) -> Any:
    return next(row.iterancestors(f"{_W}tbl"), None)


def _merge(cell: Any) -> tuple[int, bool]:
    """How many columns a cell spans, and whether it goes on from the cell above."""
    span, down = cell.find(f"{_W}tcPr/{_W}gridSpan"), cell.find(f"{_W}tcPr/{_W}vMerge")
    width = _number(span, 1) or 1
    return min(max(1, width), 64), down is not None and down.get(f"{_W}val") != "restart"


def _number(element: Any, default: int | None) -> int | None:
    """The w:val of an element as a number."""
    value = "" if element is None else element.get(f"{_W}val", "")
    return int(value) if value.lstrip("-").isdecimal() else default


def _own_style(paragraph: Any, styles: dict[str, _Style]) -> _Style:
    """The style of a paragraph with what the paragraph itself sets."""
    properties = paragraph.find(f"{_W}pPr")
    if properties is None:
        return styles.get("", _Style())
    named = properties.find(f"{_W}pStyle")
    base = styles.get("" if named is None else named.get(f"{_W}val", ""), _Style())
    return _with(base, properties)


def _with(base: _Style, properties: Any) -> _Style:
    """A style changed by paragraph properties."""
    level, number = base.level, base.number
    outline = _number(properties.find(f"{_W}outlineLvl"), None)
    if outline is not None:
        level = outline + 1 if 0 <= outline < 9 else None
    numbering = properties.find(f"{_W}numPr")
    if numbering is not None:
        list_id = numbering.find(f"{_W}numId")
        name = list_id.get(f"{_W}val", "0") if list_id is not None else (number[0] if number else "0")
        depth = _number(numbering.find(f"{_W}ilvl"), number[1] if number else 0) or 0
        number = (name, max(0, depth)) if name != "0" else None
    return _Style(level=level, number=number, code=base.code)


def _styles(package: Package, main: str) -> dict[str, _Style]:
    """Paragraph styles by id, "" being the default, each with what it inherits."""
    root = package.part(package.one(main, "styles"))
    raw = {} if root is None else {style.get(f"{_W}styleId", ""): style for style in root.iter(f"{_W}style")}
    styles = {name: _inherited(name, raw) for name in raw}
    styles[""] = next((styles[n] for n, s in raw.items() if s.get(f"{_W}default") and s.get(f"{_W}type") == "paragraph"), _Style())
    return styles


def _inherited(name: str, raw: dict[str, Any]) -> _Style:
    chain: list[str] = []
    while name in raw and name not in chain:
        chain.append(name)
        parent = raw[name].find(f"{_W}basedOn")
        name = "" if parent is None else parent.get(f"{_W}val", "")
    style = _Style()
    for each in reversed(chain):
        label = raw[each].find(f"{_W}name")
        words = "" if label is None else label.get(f"{_W}val", "").lower()
        properties = raw[each].find(f"{_W}pPr")
        style = style if properties is None else _with(style, properties)
        if words == "title":
            style.level = 1
        elif words.startswith("heading ") and words[8:].isdecimal():
            style.level = int(words[8:])
        style.code = style.code or words in ("html preformatted", "source code", "preformatted text", "code")
    return style


def _lists(package: Package, main: str) -> dict[tuple[str, int], bool]:
    """Whether a level of a list is numbered, by (list id, depth from 0)."""
    root = package.part(package.one(main, "numbering"))
    if root is None:
        return {}
    kinds = {
        (abstract.get(f"{_W}abstractNumId"), _depth(level)): _is_numbered(level)
        for abstract in root.iter(f"{_W}abstractNum")
        for level in abstract.iterchildren(f"{_W}lvl")
    }
    numbered: dict[tuple[str, int], bool] = {}
    for number in root.iterchildren(f"{_W}num"):
        target = number.find(f"{_W}abstractNumId")
        wanted = None if target is None else target.get(f"{_W}val")
        for (abstract, depth), kind in kinds.items():
            if abstract == wanted:
                numbered[number.get(f"{_W}numId", ""), depth] = kind
    return numbered


def _depth(level: Any) -> int:
    value = level.get(f"{_W}ilvl", "0")
    return int(value) if value.isdecimal() else 0


def _is_numbered(level: Any) -> bool:
    form = level.find(f"{_W}numFmt")
    return form is not None and form.get(f"{_W}val") not in ("bullet", "none")
