"""How far confidence is from the share that is right: the expected calibration error, and what luck adds to it.

Rows are (confidence in 0..1, 1 if right else 0). Naeini, Cooper and Hauskrecht (2015); Guo et al. (2017), equation 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.statistics.clusters import group
from gatewheel.evals.statistics.intervals import RESAMPLES, Interval
from gatewheel.evals.statistics.resampling import expanded, replicates

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats, Places


def calibration_error(rows: Floats, bins: int) -> float:
    """The mean over bins of the same width, by their cases, of |share right − mean confidence|; NaN without cases.

    A bin holds its upper edge, as in scikit-learn's calibration_curve.
    """
    if not len(rows):
        return nan
    away = np.bincount(_binned(rows, bins), weights=rows[:, 1] - rows[:, 0])
    return float(np.abs(away).sum() / len(rows))


def interval(rows: Floats, bins: int, *, clusters: Sequence[str] = (), level: float = 0.95, seed: int = 0) -> Interval:
    """Student's t over clusters, its low end further down by what luck adds to a perfect calibration.

    That is √(2/π) of a bin's standard error, about √(bins / cases) in all, so that without it no interval holds a true
    0. Two right and two wrong are imagined in each bin (Agresti and Coull 1998): all right is no proof.
    """
    groups = group(clusters, len(rows))
    if groups.count < 2:
        return Interval(0.0, 1.0, level, "one cluster or none: nothing is known of the rest")
    places = _binned(rows, bins)
    count = np.bincount(places)
    rate = (np.bincount(places, weights=rows[:, 1]) + 2) / (count + 4)
    errors = np.sqrt(rate * (1 - rate) * count) / len(rows)
    alone = sqrt(float(np.square(errors).sum()))
    drawn = replicates(rows, lambda one: calibration_error(one, bins), groups, resamples=RESAMPLES, seed=seed)
    wider = max(1.0, float(drawn.std(ddof=1)) / alone)  # cases of a cluster hang together
    whole, half = calibration_error(rows, bins), expanded(level, groups) * alone * wider
    luck = sqrt(2 / pi) * float(errors.sum()) * wider
    return Interval(max(0.0, whole - luck - half), min(1.0, whole + half), level, "Student's t, low by what luck adds")


def _binned(rows: Floats, bins: int) -> Places:
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], rows[:, 0])
