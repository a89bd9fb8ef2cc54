"""Compares two variants on the same cases, pair by pair, so that what makes a case hard falls out of the difference.

Sources: McNemar (1947), exact; Tango (1998) for the interval of paired rates; sign flips of clusters, which is the wild
cluster bootstrap under the null (Canay, Santos and Shaikh 2021); swaps of pairs for figures that are no mean (Riezler
and Maxwell 2005); Holm (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf, isfinite, nan, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import bdtr, ndtri

from gatewheel.evals.statistics.clusters import Groups, group
from gatewheel.evals.statistics.conclusion import Conclusion, conclude
from gatewheel.evals.statistics.intervals import Interval, checked, interval_of_difference
from gatewheel.evals.statistics.resampling import Figure, is_mean, jackknife, plain_mean, standard_error

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats

FLIPS = 9999  # random sign flips, so that the smallest p is 1e-4
SWAPS = 1999
ALL = 12  # clusters up to which every sign flip is tried
D_Z, ODDS = "d_z", "odds ratio"
SAME = 1e-12  # differences of floating point alone


@dataclass(frozen=True, slots=True)
class Paired:
    """Candidate b against incumbent a, n cases in so many clusters.

    `difference` is the figure of b minus that of a, `p` that of no difference, two-sided. `effect` is Cohen's d_z
    (the difference over its standard deviation from cluster to cluster) or the odds ratio of wins to losses, positive
    and above 1 when b's numbers are higher or b wins. `error` is the standard error. A win is a case where b is
    better; wins, losses and ties are None where a case has no score of its own.
    """

    difference: float
    interval: Interval
    p: float
    test: str
    effect: float
    effect_name: str
    error: float
    n: int
    clusters: int
    wins: int | None
    losses: int | None
    ties: int | None
    conclusion: Conclusion


def compare(  # noqa: PLR0913 (the scores, what they mean, and how sure one wants to be)
    a: Floats,
    b: Floats,
    figure: Figure,
    *,
    clusters: Sequence[str] = (),
    better: Literal["higher", "lower"] = "higher",
    bounds: tuple[float, float] = (-inf, inf),
    binary: bool = False,
    margin: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
    tested: bool = True,
) -> Paired:
    """Rows of the incumbent and of the candidate, float64 of shape (cases, numbers), the same case in the same row.

    `bounds` are those of one score; `margin` is the difference that does not matter. `binary` scores are 0 or 1 and get
    the exact test of McNemar where cases are independent. Who goes by the interval alone says `tested=False` and is
    spared the random flips or swaps, which take the most time: p is then not a number. Raises UserError for a score
    that is not a finite number.
    """
    a, b = checked(a), checked(b)
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} rows of the incumbent and {b.shape} of the candidate are no pairs")
    groups = group(clusters, len(a))
    width = bounds[1] - bounds[0]
    mean = is_mean(figure, a)
    rows, apart = (_differences(a, b), plain_mean) if mean else (np.hstack([a, b]), _apart(figure, a.shape[1]))
    difference = float(apart(rows)) if len(rows) else 0.0
    wins, losses, ties = _counts(rows[:, 0], better) if mean else (None, None, None)
    error = standard_error(jackknife(rows, apart, groups)) if groups.count else inf
    if binary and groups.single and wins is not None and losses is not None:
        p, test, effect, effect_name = mcnemar(wins, losses), "exact McNemar", _odds(wins, losses), ODDS
        found = _score(wins, losses, len(a), better, level)
        if p > 1 - level:  # the score test is less strict than the exact one, and the stricter word counts
            found = Interval(min(found.low, 0.0), max(found.high, 0.0), level, found.method)
    else:
        effect, effect_name = _standardised(difference, error, groups), D_Z
        found = interval_of_difference(rows, apart, clusters=clusters, bounds=(-width, width), level=level, seed=seed)
        p = nan
        if tested:
            p = _flips(groups.sums(rows[:, 0]), seed) if mean else _swaps(a, b, figure, groups, seed)
        test = "sign flips of clusters" if mean else "swaps of clusters"
    conclusion = conclude(difference, found, n=len(a), better=better, margin=margin)
    counts = (len(a), groups.count, wins, losses, ties)
    return Paired(difference, found, p, test, effect, effect_name, error, *counts, conclusion)


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p of as many wins as losses being expected: a binomial test with 1/2.

    >>> mcnemar(9, 1)
    0.021484375
    """
    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def tango(wins: int, losses: int, n: int, *, level: float = 0.95) -> Interval:
    """Tango's score interval (1998) of (wins - losses) / n among n independent pairs; sure of nothing without cases."""
    if not n:
        return Interval(-1.0, 1.0, level, "no cases")
    z, rate = float(ndtri((1 + level) / 2)), (wins - losses) / n
    high = _edge(wins, losses, n, z=-z) if rate < 1 else 1.0
    low = _edge(wins, losses, n, z=z) if rate > -1 else -1.0
    return Interval(low, high, level, "Tango's score interval")


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p adjusted for all of them being looked at, in their order: reject those at most alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = worst
    return adjusted


def _edge(wins: int, losses: int, n: int, *, z: float) -> float:
    """The difference at which the score statistic is z: it falls from above to below on the way from -1 to 1."""
    low, high = (-1.0, (wins - losses) / n) if z > 0 else ((wins - losses) / n, 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        constant = -losses * middle * (1 - middle)
        linear = (2 * n - wins + losses) * middle - wins - losses
        rate = (sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * rate + middle * (1 - middle))
        statistic = wins - losses - n * middle
        if statistic > z * sqrt(variance) if variance > 0 else statistic > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _differences(a: Floats, b: Floats) -> Floats:
    rows = b - a
    rows[np.abs(rows) < SAME] = 0.0
    return rows


def _apart(figure: Figure, width: int) -> Figure:
    """The difference of the figures of rows that hold both variants side by side."""
    return lambda rows: figure(rows[:, width:]) - figure(rows[:, :width])


def _counts(differences: Floats, better: str) -> tuple[int, int, int]:
    up, down = int((differences > 0).sum()), int((differences < 0).sum())
    return (*((up, down) if better == "higher" else (down, up)), len(differences) - up - down)


def _odds(wins: int, losses: int) -> float:
    """Of wins to losses; half of each is added where there are none (Haldane 1956)."""
    return wins / losses if wins and losses else (wins + 0.5) / (losses + 0.5)


def _score(wins: int, losses: int, n: int, better: str, level: float) -> Interval:
    """Tango's interval of candidate minus incumbent, whose sign is that of the numbers and not of what is better."""
    return tango(wins, losses, n, level=level) if better == "higher" else tango(losses, wins, n, level=level)


def _standardised(difference: float, error: float, groups: Groups) -> float:
    if difference == 0 or not isfinite(error):
        return 0.0
    return difference / (error * sqrt(groups.count)) if error > 0 else copysign(inf, difference)


def _flips(sums: Floats, seed: int) -> float:
    """The share of random signs of the clusters' sums that bring as much; exact for few. Zeros tell nothing."""
    sums = sums[np.abs(sums) > SAME]
    seen = abs(float(sums.sum())) * (1 - 1e-9)
    if len(sums) <= ALL:
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float((np.abs(signs @ sums) >= seen).mean())
    rng = np.random.default_rng(seed)
    at_least = 0
    for start in range(0, FLIPS, 500):
        signs = rng.integers(0, 2, (min(500, FLIPS - start), len(sums)), np.int8)
        at_least += int((np.abs(2 * (signs @ sums) - sums.sum()) >= seen).sum())
    return (1 + at_least) / (1 + FLIPS)


def _swaps(a: Floats, b: Floats, figure: Figure, groups: Groups, seed: int) -> float:
    """The share of swaps of whole clusters between the variants that set the figures as far apart.

    1 where they have no figure.
    """
    seen = abs(figure(b) - figure(a)) * (1 - 1e-9) if len(a) else nan
    if not isfinite(seen):
        return 1.0
    rng = np.random.default_rng(seed)
    names = np.empty(len(a), np.intp)
    names[groups.order] = np.repeat(np.arange(groups.count), groups.sizes)
    at_least = 0
    for _ in range(SWAPS):
        swapped = (rng.integers(0, 2, groups.count) == 1)[names][:, None]
        # not "at least": a swap without a figure tells nothing against them being as far apart
        at_least += not abs(figure(np.where(swapped, a, b)) - figure(np.where(swapped, b, a))) < seen
    return float((1 + at_least) / (1 + SWAPS))
