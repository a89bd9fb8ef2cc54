"""What the styles and the numbering of a Word document say about structure: heading levels, lists, code.

ECMA-376 part 1, sections 17.7 (styles) and 17.9 (numbering). Knows nothing about fonts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatewheel.rag.read.package import Package

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass
class Style:
    """What a paragraph style says about structure. `level` is that of a heading, from 1."""

    level: int | None = None
    number: tuple[str, int] | None = None
    code: bool = False


def number_of(element: Any, default: int | None) -> int | None:
    """The w:val of an element as a number."""
    value = "" if element is None else element.get(f"{W}val", "")
    return int(value) if value.lstrip("-").isdecimal() else default


def style_of(paragraph: Any, styles: dict[str, Style]) -> Style:
    """The style of a paragraph with what the paragraph itself sets."""
    properties = paragraph.find(f"{W}pPr")
    if properties is None:
        return styles.get("", Style())
    named = properties.find(f"{W}pStyle")
    base = styles.get("" if named is None else named.get(f"{W}val", ""), Style())
    return _with(base, properties)


def _with(base: Style, properties: Any) -> Style:
    """A style changed by paragraph properties."""
    level, number = base.level, base.number
    outline = number_of(properties.find(f"{W}outlineLvl"), None)
    if outline is not None:
        level = outline + 1 if 0 <= outline < 9 else None
    numbering = properties.find(f"{W}numPr")
    if numbering is not None:
        list_id = numbering.find(f"{W}numId")
        name = list_id.get(f"{W}val", "0") if list_id is not None else (number[0] if number else "0")
        depth = number_of(numbering.find(f"{W}ilvl"), number[1] if number else 0) or 0
        number = (name, max(0, depth)) if name != "0" else None
    return Style(level=level, number=number, code=base.code)


def styles_of(package: Package, main: str) -> dict[str, Style]:
    """Paragraph styles by id, "" being the default, each with what it inherits."""
    root = package.part(package.one(main, "styles"))
    raw = {} if root is None else {style.get(f"{W}styleId", ""): style for style in root.iter(f"{W}style")}
    styles = {name: _inherited(name, raw) for name in raw}
    styles[""] = next(
        (styles[n] for n, s in raw.items() if s.get(f"{W}default") and s.get(f"{W}type") == "paragraph"), Style()
    )
    return styles


def _inherited(name: str, raw: dict[str, Any]) -> Style:
    chain: list[str] = []
    while name in raw and name not in chain:
        chain.append(name)
        parent = raw[name].find(f"{W}basedOn")
        name = "" if parent is None else parent.get(f"{W}val", "")
    style = Style()
    for each in reversed(chain):
        label = raw[each].find(f"{W}name")
        words = "" if label is None else label.get(f"{W}val", "").lower()
        properties = raw[each].find(f"{W}pPr")
        style = style if properties is None else _with(style, properties)
        if words == "title":
            style.level = 1
        elif words.startswith("heading ") and words[8:].isdecimal():
            style.level = int(words[8:])
        style.code = style.code or words in ("html preformatted", "source code", "preformatted text", "code")
    return style


def lists_of(package: Package, main: str) -> dict[tuple[str, int], bool]:
    """Whether a level of a list is numbered, by (list id, depth from 0)."""
    root = package.part(package.one(main, "numbering"))
    if root is None:
        return {}
    kinds = {
        (abstract.get(f"{W}abstractNumId"), _depth(level)): _is_numbered(level)
        for abstract in root.iter(f"{W}abstractNum")
        for level in abstract.iterchildren(f"{W}lvl")
    }
    numbered: dict[tuple[str, int], bool] = {}
    for number in root.iterchildren(f"{W}num"):
        target = number.find(f"{W}abstractNumId")
        wanted = None if target is None else target.get(f"{W}val")
        for (abstract, depth), kind in kinds.items():
            if abstract == wanted:
                numbered[number.get(f"{W}numId", ""), depth] = kind
    return numbered


def _depth(level: Any) -> int:
    value = level.get(f"{W}ilvl", "0")
    return int(value) if value.isdecimal() else 0


def _is_numbered(level: Any) -> bool:
    form = level.find(f"{W}numFmt")
    return form is not None and form.get(f"{W}val") not in ("bullet", "none")
