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
class Verdict:
    """`cases_needed` more cases would probably settle what is inconclusive; None where no number is in sight."""

    word: Word
    cases_needed: int | None = None


def judge(
    difference: float, interval: Interval, *, n: int, better: Literal["higher", "lower"] = "higher", margin: float = 0.0
) -> Verdict:
    """The verdict on a candidate whose figure differs by `difference` from the incumbent's, over n cases.

    Better and worse: the interval excludes zero. Equivalent: it holds zero and lies inside ±margin.

    >>> judge(0.03, Interval(-0.02, 0.08), n=200).word
    'inconclusive'
    """
    sign = 1 if better == "higher" else -1
    low, high = sorted((sign * interval.low, sign * interval.high))
    if low > 0:
        return Verdict("better")
    if high < 0:
        return Verdict("worse")
    if -margin < low and high < margin:
        return Verdict("equivalent")
    return Verdict("inconclusive", _more(abs(difference), (high - low) / 2, n=n, margin=margin, level=interval.level))


def say(verdict: Verdict) -> str:
    """In words: "inconclusive (about 140 more cases would settle it)"."""
    if verdict.word != "inconclusive":
        return verdict.word
    if verdict.cases_needed is None:
        return "inconclusive (more cases of this kind would hardly settle it)"
    return f"inconclusive (about {rounded(verdict.cases_needed):,} more cases would settle it)"


def rounded(cases: int) -> int:
    """Up to two leading digits, since more would pretend to know: 1374 is about 1400."""
    unit = int(10 ** max(0, int(log10(max(1, cases))) - 1))
    return -(-cases // unit) * unit


def _more(difference: float, half: float, *, n: int, margin: float, level: float) -> int | None:
    """The half-width shrinks with √cases until zero, or a margin on both sides, is left outside; POWER of the time."""
    reach = max(difference, margin - difference)
    if not isfinite(half) or not n or reach <= 0:
        return None
    z = float(ndtri((1 + level) / 2))
    target = reach * z / (z + float(ndtri(POWER)))
    more = ceil(n * (half / target) ** 2) - n
    return more if 0 < more <= FAR else None if more > FAR else 1
