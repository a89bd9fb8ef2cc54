"""Figures with their intervals, one below the other on one scale: dots with whiskers, or differences about zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gatewheel.evals.plots.element import Element, draw, picture
from gatewheel.evals.plots.labels import shortened, width
from gatewheel.evals.plots.scale import Axis, Unit, axis, step_of, tick, whole

WIDE, NARROW = 880.0, 372.0
ROW, GAP, TOP, BOTTOM = 26.0, 12.0, 8.0, 30.0
Scale = Literal["free", "whole", "zero"]
"""As the values are, from 0 to 1, or differences with a line at none."""
NUMBERS = 150.0  # for the figure in words, at the right


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A figure. `side` is the letter of its report, for the colour; `group` is said once, above its first line."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    side: str = ""
    group: str = ""
    mark: str = ""  # better, worse, …: how a difference is coloured


def whiskers(
    name: str,
    lines: Sequence[Line],
    *,
    title: str,
    unit: Unit,
    scale: Scale = "free",
    wide: bool = True,
) -> Element:
    """The plot, for a wide page or a narrow one. `name` is its own within a page."""
    total = WIDE if wide else NARROW
    longest = max((width(shortened(one.name, 34 if wide else 20)) for one in lines), default=0.0)
    left = 30 + min(longest, 240 if wide else 124)
    right = total - (NUMBERS + 22 if wide else 12)
    ends = [end for one in lines for end in (one.value, one.low, one.high)]
    about = scale == "zero"
    along = (
        whole(left, right, unit)
        if scale == "whole"
        else axis(ends, left, right, unit=unit, zero=about or unit == "seconds", straight=about, ticks=5 if wide else 3)
    )
    made, y, group = [], TOP, ""
    for one in lines:
        if one.group != group:
            y += GAP if group else 0
            made.append(draw("text.plot-group", shortened(one.group, 60 if wide else 34), x=2, y=y + 14))
            group, y = one.group, y + 22
        tall = ROW if wide else ROW + 14
        made.append(_line(one, along, y + (ROW / 2 if wide else ROW / 2 + 1), wide=wide, total=total))
        y += tall
    bottom = y + 4
    told_ = "; ".join(f"{one.group} {one.name}: {one.text}".strip() for one in lines)
    return picture(
        name,
        (total, bottom + BOTTOM),
        title,
        told_,
        draw("g.plot-axes", *_scale(along, bottom, zero=scale == "zero"), aria_hidden="true"),
        *made,
    )


def _line(one: Line, along: Axis, y: float, *, wide: bool, total: float) -> Element:
    made: list[Element | None] = [
        draw("title", f"{one.name}: {one.text}"),
        draw("text.plot-name", shortened(one.name, 34 if wide else 20), x=14, y=y + 4.5),
        draw("line.plot-track", x1=along.start, x2=along.end, y1=y, y2=y),
    ]
    if one.low is not None and one.high is not None:
        made.append(draw("line.plot-interval", x1=along.at(one.low), x2=along.at(one.high), y1=y, y2=y))
    if one.value is not None:
        made.append(draw("circle.plot-dot", cx=along.at(one.value), cy=y, r=5))
    place = (total - NUMBERS, y + 4.5) if wide else (14, y + 19)
    made.append(draw("text.plot-number", one.text, x=place[0], y=place[1]))
    classes = ".".join(filter(None, ("g.plot-line", f"side-{one.side}" if one.side else "", one.mark)))
    return draw(classes, *made)


def _scale(along: Axis, bottom: float, *, zero: bool) -> list[Element]:
    made = []
    for value in along.ticks:
        x = along.at(value)
        made.append(draw("line.plot-grid", x1=x, x2=x, y1=TOP, y2=bottom))
        text = tick(value, value if along.log else step_of(along.ticks), along.unit)
        made.append(draw("text.plot-tick.plot-middle", text, x=x, y=bottom + 17))
    if along.unit == "points":
        made.append(draw("text.plot-tick", "points", x=14, y=bottom + 17))
    if zero:
        made.append(draw("line.plot-zero", x1=along.at(0), x2=along.at(0), y1=TOP, y2=bottom))
    return made
