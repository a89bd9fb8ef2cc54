"""Bootstrap intervals that respect groups: questions about one document are not independent of each other.

After Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 8 and 13: whole groups are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DRAWS = 5_000
SEED = 7


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the middle 95 % of its bootstrap distribution."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean(values: Sequence[float], groups: Sequence[str]) -> Interval:
    """Of one set, groups drawn with replacement."""
    return _interval(float(np.mean(values)), _draws(values, groups, SEED))


def mean_of_sets(sets: Mapping[str, tuple[Sequence[float], Sequence[str]]]) -> Interval:
    """The mean of the sets' means, each set weighing the same whatever its size; every set is drawn for itself."""
    draws = [_draws(values, groups, SEED + at) for at, (values, groups) in enumerate(sets.values())]
    return _interval(float(np.mean([np.mean(values) for values, _ in sets.values()])), np.mean(draws, axis=0))


def _draws(values: Sequence[float], groups: Sequence[str], seed: int) -> Any:
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(place, weights=np.asarray(values, float))
    counts = np.bincount(place)
    drawn = np.random.default_rng(seed).integers(len(names), size=(DRAWS, len(names)))
    return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)


def _interval(centre: float, draws: Any) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return Interval(centre, float(low), float(high))
