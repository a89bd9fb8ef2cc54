"""Reads PowerPoint files (PresentationML, ECMA-376 part 1, section 19) into Markdown: one heading a slide.

Walks the XML itself, as docx.py does, so that text in groups, tables, SmartArt and speaker notes is all there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import markdown
from gatewheel.rag.read.fault import reading, sound
from gatewheel.rag.read.package import Package

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TITLES = ("title", "ctrTitle")
_UNSAID = ("dt", "ftr", "hdr", "sldNum", "sldImg")


class Settings(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def create(settings: Settings) -> PptxReader:  # noqa: ARG001
    """A reader for PowerPoint files."""
    return PptxReader()


class PptxReader:
    """One document a file; `pages` holds where each slide starts."""

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """A heading a slide, then its text in reading order, tables, diagrams and speaker notes.

        Raises SourceError when the file is broken, encrypted, a zip bomb or has no slides.
        """
        sheet, starts = markdown.Sheet(), []
        cure = "open it in a presentation program and save it as .pptx again"
        with reading("a PowerPoint file", cure=cure), closing(Package(path)) as package:
            slides = list(_slides(package))
            for number, name in enumerate(slides, 1):
                starts.append(sheet.start())
                _slide(package, name, sheet, number)
            properties = package.properties()
            first = _title(package.part(slides[0])) if slides else ""
        if not slides:
            raise SourceError("the presentation has no slides", cure="exclude it")
        title = properties.pop("title", "")
        if title.lower() in ("", "powerpoint presentation"):
            title = first or path.stem
        meta = {**properties, "kind": "pptx", "page_count": len(slides)}
        text = sheet.text()
        yield sound(Document(source=source, text=text, format="markdown", title=title, pages=tuple(starts), meta=meta))


def _slides(package: Package) -> Iterator[str]:
    """The parts that hold the slides, in the order of the show."""
    main = package.one("", "officeDocument")
    root = package.part(main)
    if root is None or root.tag != f"{_P}presentation":
        raise SourceError("a zip file, but no presentation", cure="save it as .pptx again")
    related = package.related(main)
    for entry in root.iter(f"{_P}sldId"):
        kind, name = related.get(entry.get(f"{_R}id", ""), ("", ""))
        if kind == "slide":
            yield name


def _slide(package: Package, name: str, sheet: markdown.Sheet, number: int) -> None:
    root = package.part(name)
    sheet.add(markdown.heading(1, _title(root) or f"Slide {number}"))
    if root is None:
        return
    related = package.related(name)
    for shape in _shapes(root):
        if _placeholder(shape) in _TITLES:
            continue
        if shape.tag == f"{_P}sp" and _placeholder(shape) not in _UNSAID:
            _bullets(shape, sheet)
        elif shape.tag == f"{_P}graphicFrame":
            _graphic(package, shape, related, sheet)
    notes = package.part(next((target for kind, target in related.values() if kind == "notesSlide"), ""))
    said = [] if notes is None else [_words(shape) for shape in _shapes(notes) if _placeholder(shape) == "body"]
    words = "\n".join(filter(None, said))
    if words:
        sheet.add(f"Speaker notes: {markdown.paragraph(words)}")


def _shapes(root: Any) -> list[Any]:
    """Every shape of a slide, those in groups too, in the order that a screen reader takes."""
    return [
        shape
        for shape in root.iter(f"{_P}sp", f"{_P}graphicFrame")
        if not any(above.tag == _FALLBACK for above in shape.iterancestors())
    ]


def _placeholder(shape: Any) -> str:
    mark = shape.find(f"./*/{_P}nvPr/{_P}ph")
    return "" if mark is None else mark.get("type", "body")


def _title(root: Any) -> str:
    shapes = [] if root is None else _shapes(root)
    return next((markdown.one_line(_words(shape)) for shape in shapes if _placeholder(shape) in _TITLES), "")


def _bullets(shape: Any, sheet: markdown.Sheet) -> None:
    """A placeholder's paragraphs as list items by their level, those of a free text box as paragraphs."""
    listed = _placeholder(shape) in ("body", "obj") and len(list(shape.iter(f"{_A}p"))) > 1
    for paragraph in shape.iter(f"{_A}p"):
        text, properties = _paragraph(paragraph), paragraph.find(f"{_A}pPr")
        level = "0" if properties is None else properties.get("lvl", "0")
        depth = min(int(level), 8) if level.isdecimal() else 0
        if listed:
            sheet.add(markdown.item(text, depth=depth), item=True)
        else:
            sheet.add(markdown.paragraph(text.strip()))


def _words(element: Any) -> str:
    return "\n".join(filter(None, (_paragraph(each).strip() for each in element.iter(f"{_A}p"))))


def _paragraph(paragraph: Any) -> str:
    tags = {f"{_A}br": "\n", f"{_A}tab": "\t"}
    return "".join(tags.get(e.tag) or e.text or "" for e in paragraph.iter(f"{_A}t", *tags))


def _graphic(package: Package, frame: Any, related: dict[str, tuple[str, str]], sheet: markdown.Sheet) -> None:
    """A table, the words of a diagram, or the figures of a chart."""
    for table in frame.iter(f"{_A}tbl"):
        rows = [[_words(cell) for cell in row.iter(f"{_A}tc")] for row in table.iter(f"{_A}tr")]
        sheet.add(markdown.table(rows))
    for mark in frame.iter(_DIAGRAM):
        root = package.part(related.get(mark.get(f"{_R}dm", ""), ("", ""))[1])
        for paragraph in () if root is None else root.iter(f"{_A}p"):
            sheet.add(markdown.item(_paragraph(paragraph), depth=0), item=True)
    for mark in frame.iter(f"{_CHART}chart"):
        root = package.part(related.get(mark.get(f"{_R}id", ""), ("", ""))[1])
        if root is not None:
            sheet.add(markdown.paragraph(markdown.one_line(_words(root))))
            sheet.add(markdown.table(_figures(root)))


def _figures(chart: Any) -> list[list[str]]:
    """The values that a chart draws: a row for each category, a column for each series."""
    columns: list[list[str]] = []
    for series in chart.iter(f"{_CHART}ser"):
        names, values = _points(series, "cat", "xVal"), _points(series, "val", "yVal")
        columns = columns or [["", *names]]
        columns.append([" ".join(_points(series, "tx")), *values])
    height = max((len(column) for column in columns), default=0)
    return [[column[row] if row < len(column) else "" for column in columns] for row in range(height)]


def _points(series: Any, *tags: str) -> list[str]:
    return [
        value.text or ""
        for tag in tags
        for child in series.iterchildren(f"{_CHART}{tag}")
        for value in child.iter(f"{_CHART}v")
    ]
