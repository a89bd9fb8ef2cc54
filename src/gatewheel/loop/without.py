"""The figures of a report without the cases that leaked, and what these cases make of the difference.

How many cases leaked is taken as it is, a property of the suite; what is uncertain is how well the others and those
would be answered. So for a mean the difference is the share of the hits times the distance of two means, and its
interval is made of theirs: MOVER, Zou and Donner (2008), Construction of confidence limits about effect measures. Cases
of one cluster on both sides make it too wide, never too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.statistics.intervals import RARE, Interval, bootstrap
from gatewheel.evals.statistics.resampling import is_mean
from gatewheel.kernel.nouns import Report
from gatewheel.kernel.ports import Metric
from gatewheel.loop.columns import Column, column
from gatewheel.loop.comparing import Figure, Metrics, figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewheel.kernel.ports import Scores

    Flags = NDArray[np.bool_]

UNKNOWN = Interval(-math.inf, math.inf, method="too few hits to know")


@dataclass(frozen=True, slots=True)
class Without:
    """A metric with all cases and without the hits: by how much these raise the figure, which may be below 0.

    `hits` are those to which the metric applies.
    """

    every: Figure
    rest: Figure
    hits: int
    difference: float
    interval: Interval


def without(report: Report, metrics: Metrics, hits: Collection[str], *, level: float = 0.95) -> list[Without]:
    """Each metric of a report with and without the cases `hits`, in their order; none where nothing was hit."""
    if not hits:
        return []
    return [_without(name, metric, column(report, name), hits, level) for name, metric in metrics.items()]


def _without(name: str, metric: Metric, found: Column, hits: Collection[str], level: float) -> Without:
    hit = np.array([case in hits for case in found.cases], bool)
    every, rest = figure(name, metric, found, level), figure(name, metric, _some(found, ~hit), level)
    difference = every.value - rest.value
    if not hit.any():
        difference, sure = 0.0, Interval(0.0, 0.0, level, "no hits")
    elif hit.all():
        sure = Interval(-math.inf, math.inf, level, "nothing but hits")
    elif is_mean(metric.figure, found.rows):
        sure = _of_means(figure(name, metric, _some(found, hit), level), rest, float(hit.mean()), level)
    else:
        sure = _of_figures(metric, found, hit, level)
    return Without(
        every, rest, len({case for case, is_hit in zip(found.cases, hit, strict=True) if is_hit}), difference, sure
    )


def _of_means(hits: Figure, rest: Figure, share: float, level: float) -> Interval:
    apart = hits.value - rest.value
    below = math.hypot(hits.value - hits.interval.low, rest.interval.high - rest.value)
    above = math.hypot(hits.interval.high - hits.value, rest.value - rest.interval.low)
    return Interval(share * (apart - below), share * (apart + above), level, "MOVER")


def _of_figures(metric: Metric, found: Column, hit: Flags, level: float) -> Interval:
    """Of a figure that is no mean, by drawing clusters again."""
    names = [cluster or f"row {at}" for at, cluster in enumerate(found.clusters)]
    if len({name for name, is_hit in zip(names, hit, strict=True) if is_hit}) < RARE:
        return UNKNOWN

    def apart(rows: Scores) -> float:
        clean = rows[rows[:, -1] == 0, :-1]
        return metric.figure(rows[:, :-1]) - metric.figure(clean) if len(clean) else math.nan

    return bootstrap(np.column_stack([found.rows, hit.astype(np.float64)]), apart, clusters=found.clusters, level=level)


def _some(found: Column, which: Flags) -> Column:
    places = np.flatnonzero(which).tolist()
    return Column(
        rows=found.rows[which],
        cases=tuple(found.cases[at] for at in places),
        clusters=tuple(found.clusters[at] for at in places),
    )
