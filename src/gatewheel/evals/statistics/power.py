"""What a number of cases can show: the smallest difference they detect, and how many cases a difference needs.

Two-sided tests at 1 - level by Student's t, which `cases_needed` comes near to (Cohen 1988; Guenther 1981; Miller 2024,
"Adding error bars to evals").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtrit

from gatewheel.evals.statistics.clusters import group

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats

ALIKE = 0.2  # correlation of the differences within a cluster that is assumed where none was measured


def smallest_difference(
    n: int, *, sd: float, level: float = 0.95, power: float = 0.8, design_effect: float = 1.0
) -> float:
    """The difference that n cases would find `power` of the time. `sd` is that of the differences of single cases.

    Infinite for fewer than two cases' worth.

    >>> round(smallest_difference(100, sd=0.5), 3)
    0.141
    """
    worth = n / design_effect
    if worth < 2:
        return inf
    return float((stdtrit(worth - 1, (1 + level) / 2) + stdtrit(worth - 1, power)) * sd / sqrt(worth))


def cases_needed(
    difference: float, *, sd: float, level: float = 0.95, power: float = 0.8, design_effect: float = 1.0
) -> int | None:
    """The cases that find a difference `power` of the time; None where the difference is zero.

    >>> cases_needed(0.141, sd=0.5)
    101
    """
    if not difference or not isfinite(sd):
        return None
    z = float(ndtri((1 + level) / 2) + ndtri(power))
    # z²/2 makes up for Student's t, whose quantiles are wider than the normal ones (Guenther 1981)
    worth = (z * sd / difference) ** 2 + float(ndtri((1 + level) / 2)) ** 2 / 2
    return max(2, ceil(worth * design_effect))


def guessed_sd(bounds: tuple[float, float]) -> float:
    """The largest standard deviation that differences have when two variants answer independently: width / √2.

    That is two variants which are each right half of the time. On real suites variants agree on most cases, and an
    earlier report tells how much.
    """
    return (bounds[1] - bounds[0]) / sqrt(2)


def observed_sd(differences: Floats) -> float:
    """Of the differences of single cases, shape (cases,); infinite for fewer than two."""
    return float(np.std(differences, ddof=1)) if len(differences) > 1 else inf


def guessed_design_effect(clusters: Sequence[str], *, alike: float = ALIKE) -> float:
    """How many times more cases are needed because of clusters: 1 + (mean size - 1) · correlation (Kish 1965).

    The mean is over cases, so that large clusters count for what they are. An empty name is a cluster of its own.

    >>> round(guessed_design_effect(["a", "a", "a", "b", "b", "b"]), 6)
    1.4
    """
    sizes = group(clusters, len(clusters)).sizes
    return 1 + (float(np.square(sizes).sum() / sizes.sum()) - 1) * alike if len(clusters) else 1.0


def observed_design_effect(error: float, *, sd: float, n: int) -> float:
    """From the standard error over clusters (Paired.error) and the one that n independent cases would have."""
    return (error / sd) ** 2 * n if sd > 0 and isfinite(error) and isfinite(sd) else 1.0
