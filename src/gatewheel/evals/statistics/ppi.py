"""Prediction-powered inference: what people would say of all cases, from their labels of some and a judge's of all.

The judge's mean is corrected by what it errs on the labelled cases, however it errs; the more it agrees with people,
the narrower the interval. The labelled cases have to be a random part of all: labelled by lot, not by taste.

Sources: Angelopoulos, Duchi and Zrnic (2023), "PPI++: efficient prediction-powered inference", for the estimator and
its weight; the variance is over clusters, with Student's t, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from gatewheel.evals.statistics.clusters import Groups, group
from gatewheel.evals.statistics.intervals import RARE, Interval, checked, differing_in, interval, tilt
from gatewheel.evals.statistics.pairs import compare
from gatewheel.evals.statistics.resampling import jackknife, plain_mean, standard_error, student

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats

ALONE = "labels alone"


@dataclass(frozen=True, slots=True)
class Powered:
    """A mean of labels over `cases`, of which people labelled `labelled`, with its standard error.

    `weight` is how much the judge counts, 0 (not at all: the labels alone) to 1. `p` is that of a mean of zero,
    two-sided; not a number where nothing is known.
    """

    estimate: float
    interval: Interval
    p: float
    error: float
    weight: float
    labelled: int
    cases: int


def mean(
    labels: Floats,
    judged: Floats,
    *,
    clusters: Sequence[str] = (),
    bounds: tuple[float, float] = (-inf, inf),
    level: float = 0.95,
    weight: float | None = None,
) -> Powered:
    """The mean label of all cases. `labels` and `judged` have shape (cases,); where there is no label, it is NaN.

    `bounds` are those of a label. `weight` None tunes it. Where the judge narrows nothing,
    it is the interval of the labels by themselves. Raises UserError for a judged score that is not a finite number.
    """
    given = _Given(labels, judged, clusters, weight, differs=False)
    y = given.labels[:, None]
    error = standard_error(jackknife(y, plain_mean, given.known))
    estimate = float(y.mean()) if len(y) else nan
    found = interval(y, plain_mean, clusters=given.names, bounds=bounds, level=level)
    alone = given.told(estimate, _alone(found), _p(estimate, error, given.known.freedom), error, weight=0.0)
    return _narrower(given, alone, bounds, level)


def difference(
    labels: tuple[Floats, Floats],
    judged: tuple[Floats, Floats],
    *,
    clusters: Sequence[str] = (),
    bounds: tuple[float, float] = (-inf, inf),
    level: float = 0.95,
    weight: float | None = None,
) -> Powered:
    """The mean difference b - a of pairs (a, b) of the same cases; a case counts as labelled where both are.

    `bounds` are those of one label. The rest is as in `mean`.
    """
    (a, b), (before, after), width = labels, judged, bounds[1] - bounds[0]
    given = _Given(b - a, after - before, clusters, weight, differs=True)
    y = given.labels[:, None]
    if not len(y):
        return given.told(nan, Interval(-width, width, level, "no labels"), nan, inf, weight=0.0)
    paired = compare(np.zeros_like(y), y, plain_mean, clusters=given.names, bounds=(0.0, width), level=level)
    alone = given.told(paired.difference, _alone(paired.interval), paired.p, paired.error, weight=0.0)
    return _narrower(given, alone, (-width, width), level)


def tuned(labels: Floats, judged: Floats, rest: Floats) -> float:
    """The weight that makes the variance smallest, for labelled cases, the judge on them, and on the others; 0 to 1.

    It is tuned as if cases were independent. Another weight costs width, never coverage.
    """
    n, other = len(labels), len(rest)
    if n < 2 or other < 2:
        return 0.0
    spread = float(np.concatenate([judged, rest]).var(ddof=1))
    shared = float(((labels - labels.mean()) * (judged - judged.mean())).mean())
    return min(1.0, max(0.0, shared / ((1 + n / other) * spread))) if spread > 0 else 0.0


class _Given:
    """Labels and judge, parted into the cases with a label and the others; the weight of the judge is settled."""

    def __init__(
        self, labels: Floats, judged: Floats, clusters: Sequence[str], weight: float | None, *, differs: bool
    ) -> None:
        every = checked(judged)[:, 0]
        has = np.isfinite(np.asarray(labels, np.float64))
        if len(has) != len(every):
            raise ValueError(f"{len(has)} labels for {len(every)} cases")
        # an empty name is a cluster of its own, also when the others are parted from it
        names = [name or f"\0{at}" for at, name in enumerate(clusters or [""] * len(every))]
        self.labels: Floats = np.asarray(labels, np.float64)[has]
        self.judged: Floats = every[has]
        self.rest: Floats = every[~has]
        self.names = [name for name, known in zip(names, has, strict=True) if known]
        self.others = [name for name, known in zip(names, has, strict=True) if not known]
        self.known: Groups = group(self.names, len(self.names))
        self.fixed = weight is not None
        self.weight = tuned(self.labels, self.judged, self.rest) if weight is None else float(weight)
        if len(self.rest) < 2 or differing_in(self.labels, self.known, usual=0.0 if differs else None) < RARE:
            self.weight = 0.0

    def told(self, estimate: float, found: Interval, p: float, error: float, *, weight: float) -> Powered:
        cases = len(self.labels) + len(self.rest)
        return Powered(estimate, found, p, error, weight, len(self.labels), cases)


def _narrower(given: _Given, alone: Powered, bounds: tuple[float, float], level: float) -> Powered:
    """The labels alone, or corrected judgements where they tell more; a weight that was asked for stays."""
    if not given.weight:
        return alone
    found = _powered(given, bounds, level)
    wider = found.interval.high - found.interval.low >= alone.interval.high - alone.interval.low
    return alone if wider and not given.fixed else found


def _powered(given: _Given, bounds: tuple[float, float], level: float) -> Powered:
    weight, others = given.weight, group(given.others, len(given.others))
    left = given.labels - weight * given.judged
    estimate = float(left.mean()) + weight * float(given.rest.mean())
    doubted = _doubted(given, bounds)
    mine, weights, freedom = _moves(left, given.known, bounds, doubted, lost=1 if given.fixed else 2)
    theirs, _, loose = _moves(weight * given.rest, others, bounds, 0.0, lost=1)
    moves, apart = _together(given, mine, theirs)
    weights = np.append(weights, np.ones(len(moves) - len(mine)))
    spread = float(weights @ moves**2)
    parts = float(weights[: len(mine)] @ mine**2) ** 2 / freedom + apart**2 / loose
    freedom = max(1.0, (float(weights[: len(mine)] @ mine**2) + apart) ** 2 / parts) if parts > 0 else 1.0
    error, quantile = sqrt(spread), student(level, freedom)
    tail = tilt(moves, weights, level)
    low, high = (
        estimate - error * (quantile + max(0.0, -tail)),
        estimate + error * (quantile + max(0.0, tail)),
    )
    found = Interval(max(bounds[0], low), min(bounds[1], high), level, "PPI++ over clusters")
    estimate = min(bounds[1], max(bounds[0], estimate))
    return given.told(estimate, found, _p(estimate, error, freedom), error, weight=weight)


def _moves(
    values: Floats, groups: Groups, bounds: tuple[float, float], imagined: float, *, lost: int
) -> tuple[Floats, Floats, float]:
    """What leaving each cluster out moves the mean, scaled so that their squares add up to its variance; how often each
    counts; degrees of freedom. So many clusters are imagined as far to either side of the mean as a label can err.
    """
    size, width, middle = len(values) / groups.count, bounds[1] - bounds[0], float(values.mean())
    ends = [size * (middle + width), size * (middle - width)] if imagined else []
    weights = np.append(np.ones(groups.count), [imagined] * len(ends))
    sums = np.append(groups.sums(values), ends)
    sizes = np.append(groups.sizes.astype(np.float64), [size] * len(ends))
    cases, clusters = float(weights @ sizes), float(weights.sum())
    scale = sqrt((clusters - 1) / clusters * (clusters - 1) / max(1.0, clusters - lost))
    freedom = max(1.0, cases**2 / float(weights @ sizes**2) - lost)
    moves = (sums - middle * sizes) / (cases - sizes) * scale if clusters > 1 else np.full(len(sums), inf)
    return moves, weights, freedom


def _together(given: _Given, mine: Floats, theirs: Floats) -> tuple[Floats, float]:
    """The moves of each cluster, of labelled cases and of others in one, and the variance of the others alone."""
    places = {name: at for at, name in enumerate(dict.fromkeys(given.names))}
    moves, more = mine.copy(), []
    for name, move in zip(dict.fromkeys(given.others), theirs.tolist(), strict=True):
        if name in places:
            moves[places[name]] += move
        else:
            more.append(move)
    return np.append(moves, more), float(np.square(theirs).sum())


def _doubted(given: _Given, bounds: tuple[float, float]) -> float:
    """Clusters imagined at each end where the judge hardly ever errs: as few errors as that are mostly luck."""
    differing, count = differing_in(given.labels - given.judged, given.known), given.known.count
    if differing >= RARE or not isfinite(bounds[1] - bounds[0]):
        return 0.0
    return 2 * max(0.0, 1 - 2 * differing / count)


def _alone(found: Interval) -> Interval:
    return Interval(found.low, found.high, found.level, f"{ALONE}: {found.method}")


def _p(estimate: float, error: float, freedom: float) -> float:
    if not isfinite(estimate) or not isfinite(error):
        return nan
    return float(2 * stdtr(freedom, -abs(estimate) / error)) if error > 0 else float(estimate == 0)
