"""Quality against cost: a point for each candidate with its intervals, and the line along those that nothing beats."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from gatewheel.evals.plots import labels
from gatewheel.evals.plots.element import Element, draw, picture
from gatewheel.evals.plots.labels import Box, Name
from gatewheel.evals.plots.scale import Axis, Unit, axis, step_of, tick, told

WIDE, NARROW = 880.0, 372.0  # CSS pixels
LEFT, RIGHT, TOP, BOTTOM = 58.0, 18.0, 48.0, 50.0
INSET = 16.0  # of what costs nothing, so that its interval is not on the edge
CAP = 4.0  # half of the stroke at the end of an interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A candidate. Ends of intervals are None where none is known; `front`: nothing surely beats it."""

    number: int
    name: str
    cost: float
    quality: float
    quality_ends: tuple[float | None, float | None] = (None, None)
    cost_ends: tuple[float | None, float | None] = (None, None)
    front: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What stands along an axis. `bounds` are where its values end, None where they do not."""

    name: str
    unit: Unit
    better: str = "higher"
    bounds: tuple[float | None, float | None] = (None, None)


def scatter(name: str, points: Sequence[Point], quality: Measure, cost: Measure, *, wide: bool) -> Element:
    """The plot, for a wide page or a narrow one. `name` is its own within a page."""
    width = WIDE if wide else NARROW
    height = 430.0 if wide else 340.0
    area = Box(LEFT, TOP, width - RIGHT, height - BOTTOM)
    ends = [end for one in points for end in (one.quality, *one.quality_ends)]
    up = axis(ends, area.bottom, area.top, unit=quality.unit, bounds=quality.bounds)
    costs = [end for one in points for end in (one.cost, *one.cost_ends)]
    begin = area.left + (INSET if min(one.cost for one in points) <= 0 else 0)
    along = axis(costs, begin, area.right, unit=cost.unit, bounds=cost.bounds, zero=True, ticks=5 if wide else 3)
    corners = _steps(points, along, up, area, quality.better)
    drawn = sorted(points, key=lambda one: one.front)  # the front on top
    return picture(
        name,
        (width, height),
        f"{quality.name} against {cost.name}",
        _in_words(points, quality, cost),
        draw("g.plot-axes", *_grid(area, along, up), *_titles(area, quality, cost), aria_hidden="true"),
        _front_line(corners),
        draw("g", *(_point(one, along, up, quality, cost) for one in drawn)),
        draw("g.plot-names", *_names(points, along, up, area, corners, 30 if wide else 18)),
    )


def _grid(area: Box, along: Axis, up: Axis) -> list[Element]:
    made = []
    for value in up.ticks:
        y = up.at(value)
        made.append(draw("line.plot-grid", x1=area.left, x2=area.right, y1=y, y2=y))
        made.append(draw("text.plot-tick.plot-end", tick(value, step_of(up.ticks), up.unit), x=area.left - 8, y=y + 4))
    for value in along.ticks:
        x = along.at(value)
        text = tick(value, value if along.log else step_of(along.ticks), along.unit)
        made.append(draw("line.plot-grid", x1=x, x2=x, y1=area.top, y2=area.bottom))
        made.append(draw("text.plot-tick.plot-middle", text, x=x, y=area.bottom + 18))
    broken = along.start + along.apart * 0.5
    begin = broken + 4 if along.apart else area.left
    made.append(draw("line.plot-base", x1=begin, x2=area.right, y1=area.bottom, y2=area.bottom))
    if along.apart:
        made.append(draw("line.plot-base", x1=area.left, x2=broken - 4, y1=area.bottom, y2=area.bottom))
        for x in (broken - 4, broken + 4):
            made.append(draw("line.plot-base", x1=x - 3, x2=x + 3, y1=area.bottom + 5, y2=area.bottom - 5))
    return made


def _titles(area: Box, quality: Measure, cost: Measure) -> list[Element]:
    arrow = "↑" if quality.better == "higher" else "↓"
    return [
        draw("text.plot-title", f"{arrow} {quality.name}, {quality.better} is better", x=4, y=16),
        draw("text.plot-title.plot-end", f"← {cost.name}, less is better", x=area.right, y=area.bottom + 40),
    ]


def _steps(points: Sequence[Point], along: Axis, up: Axis, area: Box, better: str) -> list[tuple[float, float]]:
    """The corners from one point of the front to the next: what can be had for at most so much."""
    sign = 1 if better == "higher" else -1
    front = sorted((one for one in points if one.front), key=lambda one: (one.cost, -sign * one.quality))
    made: list[tuple[float, float]] = []
    best = None
    for one in front:
        if best is None or sign * one.quality > sign * best:
            x, y = along.at(one.cost), up.at(one.quality)
            made += [(x, made[-1][1] if made else area.bottom if sign > 0 else area.top), (x, y)]
            best = one.quality
    return [*made, (area.right, made[-1][1])] if made else []


def _front_line(corners: Sequence[tuple[float, float]]) -> Element | None:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    return draw("path.plot-front", d=f"M{path}") if path else None


def _point(one: Point, along: Axis, up: Axis, quality: Measure, cost: Measure) -> Element:
    x, y = along.at(one.cost), up.at(one.quality)
    low, high = one.quality_ends
    less, more = one.cost_ends
    made: list[Element | None] = [draw("title", _told(one, quality, cost))]
    if low is not None and high is not None:
        made.append(_whisker(x, up.at(low), x, up.at(high)))
    if less is not None and more is not None:
        made.append(_whisker(along.at(less), y, along.at(more), y))
    made.append(draw("circle.plot-dot", cx=x, cy=y, r=6 if one.front else 5))
    return draw("g.plot-point.on" if one.front else "g.plot-point", *made)


def _whisker(x1: float, y1: float, x2: float, y2: float) -> Element:
    if x1 == x2:
        path = f"M{x1 - CAP:.1f} {y1:.1f}h{2 * CAP}M{x1:.1f} {y1:.1f}V{y2:.1f}M{x1 - CAP:.1f} {y2:.1f}h{2 * CAP}"
    else:
        path = f"M{x1:.1f} {y1 - CAP:.1f}v{2 * CAP}M{x1:.1f} {y1:.1f}H{x2:.1f}M{x2:.1f} {y1 - CAP:.1f}v{2 * CAP}"
    return draw("path.plot-whisker", d=path)


def _names(
    points: Sequence[Point], along: Axis, up: Axis, area: Box, corners: Sequence[tuple[float, float]], most: int
) -> list[Element]:
    """The names of the front are placed first: they are what one looks for."""
    order = sorted(points, key=lambda one: (not one.front, -one.quality))
    places = [(along.at(one.cost), up.at(one.quality)) for one in order]
    lines = [
        Box(min(a, c) - 2, min(b, d) - 2, max(a, c) + 2, max(b, d) + 2)
        for (a, b), (c, d) in itertools.pairwise(corners)
    ]
    taken = [*lines, *(box for one in order for box in _boxes(one, along, up))]
    names = [Name(labels.shortened(f"{one.number} {one.name}", most), f"{one.number}", bold=one.front) for one in order]
    room = Box(area.left + 3, 24, area.right + RIGHT - 2, area.bottom - 2)
    made = []
    for one, (x, y), found in zip(order, places, labels.place(places, names, room, taken), strict=True):
        if found.far:
            near = min(max(x, found.box.left), found.box.right)
            edge = found.box.top if found.box.top > y else found.box.bottom
            made.append(draw("line.plot-lead", x1=x, y1=y, x2=near, y2=min(max(y, found.box.top), edge)))
        made.append(draw("text.plot-name.on" if one.front else "text.plot-name", found.text, x=found.x, y=found.y))
    return made


def _boxes(one: Point, along: Axis, up: Axis) -> list[Box]:
    x, y = along.at(one.cost), up.at(one.quality)
    low, high = one.quality_ends
    less, more = one.cost_ends
    made = []
    if low is not None and high is not None:
        made.append(Box(x - 5, min(up.at(high), up.at(low)), x + 5, max(up.at(high), up.at(low))))
    if less is not None and more is not None:
        made.append(Box(along.at(less), y - 3, along.at(more), y + 3))
    return made


def _told(one: Point, quality: Measure, cost: Measure) -> str:
    good = told(one.quality, quality.unit) + _ends(one.quality_ends, quality.unit)
    dear = told(one.cost, cost.unit) + _ends(one.cost_ends, cost.unit)
    return f"{one.number} {one.name}: {good}, {dear}{', on the front' if one.front else ''}"


def _ends(ends: tuple[float | None, float | None], unit: Unit) -> str:
    low, high = ends
    return "" if low is None or high is None else f" [{told(low, unit)} to {told(high, unit)}]"


def _in_words(points: Sequence[Point], quality: Measure, cost: Measure) -> str:
    front = [one.name for one in points if one.front]
    said = "; ".join(_told(one, quality, cost) for one in points)
    return f"{len(points)} candidates. {said}. Nothing surely beats: {', '.join(front) or 'nobody is known'}."
