"""Which candidates nothing else beats on every count: a front that counts only what the intervals are sure of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gatewheel.evals.statistics.intervals import Interval

Better = Mapping[str, Literal["higher", "lower"]]
Difference = Callable[[str, str, str], "Interval"]
"""(a, b, objective) to the interval of b minus a; low == high for what is known exactly, such as a price."""


def dominates(b: str, a: str, objectives: Better, difference: Difference) -> bool:
    """b is surely better than a on one objective, and surely better or exactly equal on all others."""
    surely = False
    for objective, better in objectives.items():
        interval = difference(a, b, objective)
        gain = interval.low if better == "higher" else -interval.high
        same = interval.low == interval.high == 0
        if gain <= 0 and not same:
            return False
        surely = surely or gain > 0
    return surely


def front(candidates: Sequence[str], objectives: Better, difference: Difference) -> tuple[str, ...]:
    """Those that no other dominates, in their order."""
    return tuple(
        a for a in candidates if not any(dominates(b, a, objectives, difference) for b in candidates if b != a)
    )
