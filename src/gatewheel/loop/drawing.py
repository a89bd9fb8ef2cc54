"""Candidates and reports as plots: what each plot shows. How it is drawn is of evals/plots."""

from __future__ import annotations

from collections.abc import Sequence

from gatewheel.evals.plots.element import Element
from gatewheel.evals.plots.scale import Unit, told
from gatewheel.evals.plots.scatter import Measure, Point, scatter
from gatewheel.loop.candidates import Candidate, Choice, Cost

COSTS: dict[Cost, tuple[str, Unit]] = {
    "price": ("price of 1,000 answers", "dollars"),
    "seconds": ("seconds of an answer", "seconds"),
    "memory": ("memory", "bytes"),
    "size": ("size on disk", "bytes"),
}
# metrics that are no share of anything, by the unit in which they are told
_UNITS: dict[str, Unit] = {"seconds": "seconds", "first-token": "seconds", "cost": "dollars"}


def unit_of(metric: str, bounds: tuple[float | None, float | None]) -> Unit:
    """The unit in which a metric is told: what lies between 0 and 1 is a share."""
    return "share" if tuple(bounds) == (0.0, 1.0) else _UNITS.get(metric, "number")


def front(choice: Choice, *, wide: bool, name: str = "front") -> Element | None:
    """Quality against cost of all candidates with both; None where there are none. `name` is its own within a page."""
    points = [point for one in choice.candidates if (point := _point(one, choice.cost)) is not None]
    if not points:
        return None
    words, unit = COSTS[choice.cost]
    quality = Measure(
        name=choice.metric,
        unit=unit_of(choice.metric, choice.bounds),
        better=choice.better,
        bounds=choice.bounds,
    )
    return scatter(name, points, quality, Measure(name=words, unit=unit, bounds=(0.0, None)), wide=wide)


def cost_of(one: Candidate, cost: Cost) -> float | None:
    """The figure of a candidate by which it is dear."""
    if cost == "seconds":
        return one.speed.seconds if one.speed else None
    return {"price": one.price, "memory": one.memory, "size": one.size}[cost]


def quality_of(choice: Choice, one: Candidate) -> str:
    """The figure of a candidate in words."""
    return told(one.quality.value, unit_of(choice.metric, choice.bounds))


def _point(one: Candidate, cost: Cost) -> Point | None:
    dear, good = cost_of(one, cost), one.quality.value
    if dear is None or good is None:
        return None
    timed: Sequence[float | None] = (one.speed.seconds_low, one.speed.seconds_high) if one.speed else (None, None)
    return Point(
        number=one.number,
        name=one.name,
        cost=dear,
        quality=good,
        quality_ends=(one.quality.low, one.quality.high),
        cost_ends=(timed[0], timed[1]) if cost == "seconds" else (None, None),
        front=bool(one.front),
    )
