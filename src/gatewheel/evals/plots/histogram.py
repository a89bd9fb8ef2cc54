"""How the scores of cases are spread: bars over equal steps of the scale, a row for each report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewheel.evals.plots.element import Element, draw, picture
from gatewheel.evals.plots.labels import shortened
from gatewheel.evals.plots.scale import Axis, Unit, axis, step_of, tick, whole

WIDE, NARROW = 430.0, 372.0
TALL, HEAD, BOTTOM, LEFT, RIGHT = 62.0, 34.0, 30.0, 20.0, 20.0
BINS = 20
FEW = 4  # bars that all have their number


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The scores of one report, one a case. `side` is its letter, for the colour."""

    name: str
    values: Sequence[float]
    side: str = ""


def histogram(name: str, every: Sequence[Scores], *, title: str, unit: Unit, share: bool) -> Element:
    """The plot. Where scores are only 0 or 1 there are two bars. `name` is its own within a page."""
    values = [value for one in every for value in one.values]
    along = (
        whole(LEFT, WIDE - RIGHT, unit)
        if share
        else axis(values, LEFT, WIDE - RIGHT, unit=unit, zero=min(values, default=0.0) >= 0, ticks=4, straight=True)
    )
    counts = [_counted(one.values, along) for one in every]
    most = max((max(each) for each in counts), default=1) or 1
    rows = [_row(one, each, along, most, at) for at, (one, each) in enumerate(zip(every, counts, strict=True))]
    bottom = len(every) * (TALL + HEAD)
    ticks = []
    for value in along.ticks:
        text = tick(value, value if along.log else step_of(along.ticks), unit)
        ticks.append(draw("text.plot-tick.plot-middle", text, x=along.at(value), y=bottom + 18))
    said = "; ".join(f"{one.name}: {_in_words(each)}" for one, each in zip(every, counts, strict=True))
    return picture(name, (WIDE, bottom + BOTTOM), title, said, *rows, draw("g.plot-axes", *ticks, aria_hidden="true"))


def _counted(values: Sequence[float], along: Axis) -> list[int]:
    found = [0] * BINS
    for value in values:
        part = (along.at(value) - along.start) / (along.end - along.start)
        found[min(BINS - 1, int(part * BINS + 1e-9))] += 1
    return found


def _row(one: Scores, counts: Sequence[int], along: Axis, most: int, at: int) -> Element:
    top = at * (TALL + HEAD)
    base = top + HEAD + TALL
    wide = (along.end - along.start) / BINS
    bars = []
    for place, number in enumerate(counts):
        if number:
            tall = max(1.5, number / most * (TALL - 14))
            x = along.start + place * wide
            bars.append(
                draw(
                    "rect.plot-bar",
                    draw("title", f"{number}"),
                    x=x + 1,
                    y=base - tall,
                    width=wide - 2,
                    height=tall,
                    rx=1,
                )
            )
            if number == max(counts) or sum(map(bool, counts)) <= FEW:
                bars.append(draw("text.plot-tick.plot-middle", f"{number}", x=x + wide / 2, y=base - tall - 3))
    side = f".side-{one.side}" if one.side else ""
    return draw(
        f"g.plot-row{side}",
        draw("text.plot-name", shortened(one.name, 50), x=2, y=top + 18),
        *bars,
        draw("line.plot-base", x1=along.start, x2=along.end, y1=base, y2=base),
    )


def _in_words(counts: Sequence[int]) -> str:
    total = sum(counts)
    if not total:
        return "no scores"
    low, high = counts[0], counts[-1]
    middle = total - low - high
    at = max(range(BINS), key=lambda place: counts[place])
    where = "the lowest" if at == 0 else "the highest" if at == BINS - 1 else "a middle"
    return f"{total} cases, {low} at the low end, {high} at the high end, {middle} between; most in {where} step"
