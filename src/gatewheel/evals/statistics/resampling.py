"""Draws whole clusters again and again: replicates of a figure, its jackknife, and the BCa interval made of both.

Sources: Efron (1987), "Better bootstrap confidence intervals"; Hesterberg (2015), "What teachers should know about the
bootstrap", for the expanded quantiles; Davison and Hinkley (1997), 3.8 for clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats, Groups

Figure = Callable[["Floats"], float]

BLOCK = 4_000_000  # draws held at once, 32 MB
LEAVES = 1000  # clusters that a jackknife leaves out one by one; beyond, it leaves out that many groups of them


def plain_mean(rows: Floats) -> float:
    """The figure of most metrics, of one number a case."""
    return float(rows.mean())


def is_mean(figure: Figure, rows: Floats) -> bool:
    """A figure of one number a case that is the plain mean, which needs no call per replicate.

    Of no rows nobody knows how many numbers they would have.
    """
    if not len(rows) or rows.shape[1] != 1:
        return False
    return figure is plain_mean or abs(figure(np.array([[0.0], [0.125], [1.0]])) - 0.375) < 1e-12


def replicates(rows: Floats, figure: Figure, groups: Groups, *, resamples: int, seed: int) -> Floats:
    """The figure of `resamples` suites of as many clusters, drawn with replacement, shape (resamples,)."""
    rng = np.random.default_rng(seed)
    count = groups.count
    if not is_mean(figure, rows):
        draws = (rng.integers(0, count, count) for _ in range(resamples))
        return np.array([figure(rows[groups.rows(draw)]) for draw in draws], np.float64)
    sums, sizes = groups.sums(rows[:, 0]), groups.sizes.astype(np.float64)
    found = []
    for start in range(0, resamples, step := max(1, BLOCK // count)):
        draw = rng.integers(0, count, (min(step, resamples - start), count))
        found.append(sums[draw].mean(1) if groups.single else sums[draw].sum(1) / sizes[draw].sum(1))
    return np.concatenate(found)


def jackknife(rows: Floats, figure: Figure, groups: Groups) -> Floats:
    """The figure without each cluster in turn; beyond LEAVES clusters without each of so many groups of them."""
    count = groups.count
    if count < 2:
        return np.full(count, np.nan)
    blocks = np.array_split(np.arange(count), min(count, LEAVES))
    if is_mean(figure, rows):
        edges = np.array([block[0] for block in blocks])
        sums, sizes = groups.sums(rows[:, 0]), groups.sizes.astype(np.float64)
        left: Floats = (sums.sum() - np.add.reduceat(sums, edges)) / (sizes.sum() - np.add.reduceat(sizes, edges))
        return left
    every = np.arange(count)
    kept = (np.delete(every, block) for block in blocks)
    return np.array([figure(rows[groups.rows(chosen)]) for chosen in kept], np.float64)


def standard_error(left_out: Floats) -> float:
    """Of a figure, from its jackknife (CR3 for a mean: MacKinnon, Nielsen and Webb 2023)."""
    n = len(left_out)
    return float(np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())) if n > 1 else float("inf")


def bca(figures: Floats, figure: float, left_out: Floats, z: float) -> tuple[float, float] | None:
    """The bias-corrected and accelerated interval between the normal quantiles -z and z; None where it does not exist.

    `figures` are the replicates, ascending order not needed; ties with the figure count half.
    """
    below = float((figures < figure).mean() + (figures <= figure).mean()) / 2
    deviations = left_out.mean() - left_out
    spread = float(np.square(deviations).sum())
    if not 0 < below < 1 or not spread > 0:
        return None
    bias, acceleration = float(ndtri(below)), float((deviations**3).sum()) / (6 * spread**1.5)
    ends = []
    for quantile in (-z, z):
        shrink = 1 - acceleration * (bias + quantile)
        if not shrink > 0:
            return None
        ends.append(float(ndtr(bias + (bias + quantile) / shrink)))
    low, high = np.quantile(figures, ends)
    return float(low), float(high)


def student(level: float, freedom: float) -> float:
    """The two-sided quantile of Student's t: 1.96 for .95 and many degrees of freedom."""
    return float(stdtrit(freedom, (1 + level) / 2))


def expanded(level: float, groups: Groups) -> float:
    """The normal quantile that makes a bootstrap as wide as Student's t: it is too narrow by √((n-1)/n) and by t/z."""
    return student(level, groups.freedom) * float(np.sqrt(groups.count / max(1, groups.count - 1)))
