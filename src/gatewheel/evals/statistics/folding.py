"""Intervals of distances: that of the figure with its sign, folded at the middle.

A distance is never below 0, so all of its replicates lie on one side of a true 0, and BCa runs off with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gatewheel.evals.statistics.intervals import Interval

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats


@runtime_checkable
class OwnInterval(Protocol):
    """What a metric has besides where `intervals.interval` does not suit its figure."""

    def interval(self, rows: Floats, *, clusters: Sequence[str], level: float) -> Interval: ...


def folded(found: Interval, middle: float = 0.0) -> Interval:
    """The interval of the distance from the middle; it begins at 0 where the middle is inside.

    >>> folded(Interval(0.43, 0.57), 0.5).low, folded(Interval(-0.5, -0.25)).high
    (0.0, 0.5)
    """
    low, high = sorted((abs(found.low - middle), abs(found.high - middle)))
    return Interval(0.0 if found.low <= middle <= found.high else low, high, found.level, found.method)
