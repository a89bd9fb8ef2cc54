"""An SVG element as data: the studio makes nodes of it, a file that stands alone gets its markup, with all escaped.

Colours and faces are the style sheet's (`plots.css`), by class: so one drawing serves light, dark and paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

Attribute = str | float | None
# what neither XML nor HTML can hold
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """A tag of SVG with its attributes and what stands inside: elements and texts."""

    tag: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Element | str, ...] = ()


def draw(what: str, *children: Element | str | None, **attributes: Attribute) -> Element:
    """`draw("line.plot-grid", x1=0, y1=4)`: tag and classes; `_` in a name is `-`; None is left out.

    >>> markup(draw("text.plot-name", "a < b", x=1.50))
    '<text class="plot-name" x="1.5">a &lt; b</text>'
    """
    tag, *classes = what.split(".")
    given = {"class": " ".join(classes)} if classes else {}
    told = {name.strip("_").replace("_", "-"): _said(value) for name, value in attributes.items() if value is not None}
    return Element(tag=tag, attributes=given | told, children=tuple(one for one in children if one is not None))


def picture(name: str, size: tuple[float, float], title: str, told: str, *children: Element | str | None) -> Element:
    """A whole plot as wide as its place. `told` says in words what it shows; `name` is its own within a page."""
    width, height = size
    return draw(
        "svg.plot",
        draw("title", title, id=f"{name}-title"),
        draw("desc", told, id=f"{name}-desc"),
        *children,
        viewBox=f"0 0 {_said(width)} {_said(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def markup(element: Element | str) -> str:
    """The element as text for an HTML page. Whatever stands in a text or an attribute stays text."""
    if isinstance(element, str):
        return escape(speakable(element), quote=False)
    attributes = "".join(f' {name}="{escape(speakable(value))}"' for name, value in element.attributes.items())
    return f"<{element.tag}{attributes}>{''.join(map(markup, element.children))}</{element.tag}>"


def speakable(text: str) -> str:
    """Text without what no document can hold, such as control characters."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def _said(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
