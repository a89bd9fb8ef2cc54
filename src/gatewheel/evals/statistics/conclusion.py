"""What an interval of a difference allows one to say: better, worse, equivalent, or how many cases are missing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, log10
from typing import TYPE_CHECKING, Literal

from scipy.special import ndtri

if TYPE_CHECKING:
    from gatewheel.evals.statistics.intervals import Interval

Word = Literal["better", "worse", "equivalent", "inconclusive"]

POWER = 0.8  # how often the cases that are asked for settle the matter, if the difference is what it seems
FAR = 1_000_000  # cases beyond which nothing useful is said


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`cases_needed` more cases would probably settle what is inconclusive; None where no number is in sight."""

    word: Word
    cases_needed: int | None = None


def conclude(
    difference: float, interval: Interval, *, n: int, better: Literal["higher", "lower"] = "higher", margin: float = 0.0
) -> Conclusion:
    """The conclusion on a candidate whose figure differs by `difference` from the incumbent's, over n cases.

    Better and worse: the interval excludes zero. Equivalent: it holds zero and lies inside ±margin.

    >>> conclude(0.03, Interval(-0.02, 0.08), n=200).word
    'inconclusive'
    """
    sign = 1 if better == "higher" else -1
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low > 0:
        return Conclusion("better")
    if high < 0:
        return Conclusion("worse")
    if -margin < low and high < margin:
        return Conclusion("equivalent")
    reach = max(abs(difference), margin - abs(difference))
    return Conclusion("inconclusive", more(reach, (high - low) / 2, n=n, level=interval.level))


def say(conclusion: Conclusion) -> str:
    """In words: "inconclusive (about 140 more cases would settle it)"."""
    if conclusion.word != "inconclusive":
        return conclusion.word
    if conclusion.cases_needed is None:
        return "inconclusive (more cases of this kind would hardly settle it)"
    return f"inconclusive (about {rounded(conclusion.cases_needed):,} more cases would settle it)"


def rounded(cases: int) -> int:
    """Up to two leading digits, since more would pretend to know: 1374 is about 1400."""
    unit = int(10 ** max(0, int(log10(max(1, cases))) - 1))
    return -(-cases // unit) * unit


def more(reach: float, half: float, *, n: int, level: float) -> int | None:
    """About how many more than n cases until an interval leaves outside what is `reach` away, POWER of the time.

    Its half-width, now `half`, shrinks with √cases. None where no number is in sight.
    """
    if not isfinite(half) or not isfinite(reach) or not n or reach <= 0:
        return None
    z = float(ndtri((1 + level) / 2))
    target = reach * z / (z + float(ndtri(POWER)))
    shrunk = half / target
    needed = n * shrunk * shrunk - n
    return max(1, ceil(needed)) if needed <= FAR else None
