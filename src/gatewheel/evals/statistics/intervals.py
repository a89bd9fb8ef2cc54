"""Confidence intervals of figures: Wilson for rates, BCa over clusters, Student's t over few of them. Never too sure.

`interval` picks the method and says which. docs/statistics.md has the measured coverage of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from gatewheel.evals.statistics.clusters import Groups, group
from gatewheel.evals.statistics.resampling import (
    Figure,
    bca,
    expanded,
    is_mean,
    jackknife,
    plain_mean,
    replicates,
    standard_error,
    student,
)
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gatewheel.evals.statistics.clusters import Floats

    Flags = NDArray[np.bool_]

RESAMPLES = 2000
FEW = 20  # clusters below which a bootstrap is too narrow and Student's t is used
RARE = 10  # clusters that must differ from the usual score before their spread can be trusted
TOO_FEW = "too few clusters differ to know how much they scatter"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, infinite where nothing is known; covers the truth in a share `level` of suites."""

    low: float
    high: float
    level: float = 0.95
    method: str = ""


def wilson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a rate (1927), for independent cases; of no case at all it is [0, 1].

    >>> wilson(8, 10)
    Interval(low=0.4901624715..., high=0.9433178485..., level=0.95, method='Wilson')
    """
    return _score(successes, n, float(ndtri((1 + level) / 2)), level)


def _score(successes: float, n: float, z: float, level: float) -> Interval:
    if not n:
        return Interval(0.0, 1.0, level, "no cases")
    rate = successes / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # at both ends of the scale the formula is exact, its floating point is not
    low = 0.0 if rate <= 0 else max(0.0, middle - half)
    return Interval(low, 1.0 if rate >= 1 else min(1.0, middle + half), level, "Wilson")


def interval(
    rows: Floats,
    figure: Figure,
    *,
    clusters: Sequence[str] = (),
    bounds: tuple[float, float] = (-inf, inf),
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval that suits the rows, float64 of shape (cases, numbers), cut at the bounds of the figure.

    Means of two-valued scores get Wilson's, with the effective number of cases where there are clusters; means of
    bounded scores that hardly vary get imagined cases; all else goes to `bootstrap`. Raises UserError for a score
    that is not a finite number.
    """
    rows = checked(rows)
    groups = group(clusters, len(rows))
    low, high = float(bounds[0]), float(bounds[1])
    if groups.count < 2:
        return Interval(low, high, level, _unknown(groups))
    found: Interval | None = None
    if is_mean(figure, rows) and isfinite(low) and isfinite(high) and low < high:
        values = (rows[:, 0] - low) / (high - low)
        if np.isin(values, (0.0, 1.0)).all():
            found = _rate(values, groups, level)
        elif differing_in(values, groups) < min(RARE, groups.count / 2):
            found = _skewed(values, groups, level, _imagined(values, groups))
        found = found and _scaled(found, low, high - low)
    found = found or bootstrap(rows, figure, clusters=clusters, level=level, seed=seed)
    return Interval(max(low, found.low), min(high, found.high), level, found.method)


def interval_of_difference(
    rows: Floats,
    figure: Figure,
    *,
    clusters: Sequence[str] = (),
    bounds: tuple[float, float] = (-inf, inf),
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval of a difference between paired variants, Student's t over clusters, cut at the bounds.

    Differences are mostly symmetric, which BCa does not know: where 15 of 100 answers changed, the skewness that it
    reads from them is luck and it covers 90 % instead of 95 %. Here skewness only widens. Means take their error from
    the jackknife, other figures from the bootstrap. A figure of several numbers has rows of both variants side by side.
    Where few clusters differ, and no bounded mean says what a further case could do, it is as wide as the bounds.
    Raises UserError for a score that is not a finite number.
    """
    rows = checked(rows)
    groups = group(clusters, len(rows))
    low, high = float(bounds[0]), float(bounds[1])
    if groups.count < 2:
        return Interval(low, high, level, _unknown(groups))
    if is_mean(figure, rows):
        if isfinite(low) and isfinite(high) and low < high:
            values = (rows[:, 0] - low) / (high - low)
            found = _scaled(_skewed(values, groups, level, _imagined(values, groups)), low, high - low)
        else:
            rare = _few(rows[:, 0] != 0, groups)
            found = Interval(-inf, inf, level, TOO_FEW) if rare else _skewed(rows[:, 0], groups, level, 0.0)
    else:
        found = _by_bootstrap(rows, figure, groups, level, seed)
    return Interval(max(low, found.low), min(high, found.high), level, found.method)


def bootstrap(
    rows: Floats,
    figure: Figure,
    *,
    clusters: Sequence[str] = (),
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """BCa over clusters, widened as Student's t is; below FEW clusters of equal worth the jackknife's t interval.

    Where BCa does not exist the percentiles are taken, and `method` gives the reason. Of one cluster it is infinite.
    """
    rows = checked(rows)
    groups = group(clusters, len(rows))
    if groups.count < 2:
        return Interval(-inf, inf, level, _unknown(groups))
    whole, left_out = float(figure(rows)), jackknife(rows, figure, groups)
    if not isfinite(whole):
        return Interval(-inf, inf, level, "the figure is not a number")
    if groups.effective < FEW and np.isfinite(left_out).all():
        half = student(level, groups.freedom) * standard_error(left_out)
        return Interval(whole - half, whole + half, level, "Student's t over few clusters")
    figures = replicates(rows, figure, groups, resamples=resamples, seed=seed)
    figures = figures[np.isfinite(figures)]
    if len(figures) < resamples / 2:
        return Interval(-inf, inf, level, "most resamples have no figure")
    z = expanded(level, groups)
    ends = bca(figures, whole, left_out, z) if np.isfinite(left_out).all() else None
    if ends:
        return Interval(*ends, level, "BCa bootstrap")
    tail = (1 - level) / 2
    low, high = np.quantile(figures, (tail, 1 - tail))
    why = "all replicates are equal" if low == high else "no finite acceleration"
    return Interval(float(low), float(high), level, f"percentile bootstrap: {why}")


def checked(rows: Floats) -> Floats:
    """Rows as float64 of two dimensions; one dimension is one number a case. UserError where one is not finite."""
    rows = np.asarray(rows, np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    wrong = np.argwhere(~np.isfinite(rows))
    if len(wrong):
        case, number = wrong[0]
        raise UserError(
            f"the score of case {case + 1} is {rows[case, number]}, not a finite number",
            cure="a metric that does not apply to a case returns None",
        )
    return rows


def _unknown(groups: Groups) -> str:
    return "one cluster: nothing is known of the rest" if groups.count else "no cases"


def _rate(values: Floats, groups: Groups, level: float) -> Interval:
    """Wilson's with as many independent cases as the clusters are worth (Franco, Little, Louis and Slud 2019)."""
    n = len(values)
    rate = float(values.mean())
    if groups.single:
        return wilson(rate * n, n, level=level)
    spread = standard_error(jackknife(values[:, None], plain_mean, groups))
    # with all alike the clusters may be one opinion each; the truth lies between them and the cases
    worth = min(float(n), rate * (1 - rate) / spread**2) if spread > 0 else groups.effective
    found = _score(rate * worth, worth, student(level, groups.freedom), level)
    return Interval(found.low, found.high, level, "Wilson over clusters")


def _by_bootstrap(rows: Floats, figure: Figure, groups: Groups, level: float, seed: int) -> Interval:
    """Of rows of both variants side by side; the side of the long tail goes further, as in `_skewed`."""
    width = rows.shape[1] // 2
    if _few((rows[:, :width] != rows[:, width:]).any(axis=1), groups):
        return Interval(-inf, inf, level, TOO_FEW)
    whole, figures = float(figure(rows)), replicates(rows, figure, groups, resamples=RESAMPLES, seed=seed)
    figures = figures[np.isfinite(figures)]
    if not isfinite(whole) or len(figures) < RESAMPLES / 2:
        return Interval(-inf, inf, level, "the figure is not a number, or not on most resamples")
    quantile, error = expanded(level, groups), float(figures.std(ddof=1))
    if not error > 0:
        return Interval(-inf, inf, level, "nothing scatters")
    left_out = jackknife(rows, figure, groups)
    tail = tilt(whole - left_out, np.ones(len(left_out)), level) if np.isfinite(left_out).all() else 0.0
    return Interval(
        whole - error * (quantile + max(0.0, -tail)),
        whole + error * (quantile + max(0.0, tail)),
        level,
        "Student's t with the error of the bootstrap",
    )


def _imagined(values: Floats, groups: Groups) -> float:
    """How many clusters are imagined at each end of the scale 0..1, as Agresti and Coull (1998) have them for rates.

    A spread that rests on a handful of cases is mostly luck: none of 100 cases differing, a bootstrap would be certain.
    With up to RARE differing clusters it is two, which brings the interval to the exact one of Poisson when all that
    differ do so by the whole scale; the more differ the fewer it takes, and none where half of them do.
    """
    differing = differing_in(values, groups)
    return 2 * max(0.0, 1 - 2 * differing / groups.count) * min(1.0, RARE / max(1, differing))


def _skewed(values: Floats, groups: Groups, level: float, imagined: float) -> Interval:
    """Of the mean by Student's t, with so many clusters imagined at 0 and at 1; the long tail's side goes further."""
    size, weights = len(values) / groups.count, np.append(np.ones(groups.count), [imagined, imagined])
    sums = np.append(groups.sums(values), [0.0, size])
    sizes = np.append(groups.sizes, [size, size])
    cases, clusters = float(weights @ sizes), float(weights.sum())
    middle = float(weights @ sums) / cases
    without = (sums - middle * sizes) / (cases - sizes)  # what the mean moves when a cluster is left out
    spread = float(weights @ without**2)
    freedom = max(1.0, cases**2 / float(weights @ sizes**2) - 1)
    quantile, error = student(level, freedom), sqrt((clusters - 1) / clusters * spread)
    tail = tilt(without, weights, level)
    why = ", with imagined cases: few scores differ" if imagined >= 1 else ""
    return Interval(
        middle - error * (quantile + max(0.0, -tail)),
        middle + error * (quantile + max(0.0, tail)),
        level,
        f"Student's t over {'cases' if groups.single else 'clusters'}{why}",
    )


def tilt(moves: Floats, weights: Floats, level: float) -> float:
    """How many standard errors the long tail's side goes further, from what each cluster moves the figure.

    It is the first term of the Edgeworth expansion of Student's t (Hall 1992, 3.10.6).
    """
    spread, z = float(weights @ moves**2), float(ndtri((1 + level) / 2))
    return float(weights @ moves**3) / (6 * spread**1.5) * (1 + 2 * z * z) if spread > 0 else 0.0


def _few(differ: Flags, groups: Groups) -> bool:
    """Whether the cases that differ between two variants are of too few clusters."""
    return clusters_with(differ, groups) < min(RARE, groups.count)


def clusters_with(flags: Flags, groups: Groups) -> int:
    """How many clusters have a case of which this is so."""
    return int((groups.sums(flags.astype(np.float64)) > 0).sum())


def differing_in(values: Floats, groups: Groups, *, usual: float | None = None) -> int:
    """Clusters with a score that is not the usual one; None: the commonest."""
    if not len(values):
        return 0
    each, counts = np.unique(values, return_counts=True)
    return clusters_with(values != (each[counts.argmax()] if usual is None else usual), groups)


def _scaled(found: Interval, low: float, width: float) -> Interval:
    return Interval(low + width * found.low, low + width * found.high, found.level, found.method)
