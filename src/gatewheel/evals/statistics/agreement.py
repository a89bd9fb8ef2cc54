"""How far raters agree beyond chance: Cohen's kappa for two, Krippendorff's alpha for any number with gaps.

Both are 1 for perfect agreement and 0 for what chance gives; below 0 raters disagree on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from math import isfinite, nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from gatewheel.evals.statistics.clusters import group
from gatewheel.evals.statistics.intervals import RARE, Interval, bootstrap, clusters_with, interval
from gatewheel.evals.statistics.resampling import plain_mean

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats

Scale = Literal["nominal", "ordinal", "interval"]
Weights = Literal["nominal", "linear", "quadratic"]


def cohen(a: Sequence[float], b: Sequence[float], *, weights: Weights = "nominal") -> float:
    """Kappa of two raters of the same units (Cohen 1960; weighted 1968). NaN where both use one single class.

    Linear and quadratic weights count how far apart two ratings are, in places among the values that occur.

    >>> cohen([1, 1, 0, 0], [1, 0, 0, 0])
    0.5
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} ratings of one rater and {len(b)} of the other are no pairs")
    values, places = np.unique(np.concatenate([np.asarray(a), np.asarray(b)]), return_inverse=True)
    first, second = places[: len(a)], places[len(a) :]
    table = np.zeros((len(values), len(values)))
    np.add.at(table, (first, second), 1.0)
    apart = np.abs(np.subtract.outer(np.arange(len(values)), np.arange(len(values)))).astype(np.float64)
    apart = {"nominal": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weights]
    by_chance = float((np.outer(table.sum(1), table.sum(0)) * apart).sum()) / max(1, len(a))
    return 1 - float((table * apart).sum()) / by_chance if by_chance else nan


def krippendorff(ratings: Floats, *, scale: Scale = "nominal") -> float:
    """Alpha of ratings of shape (units, raters), NaN where a rater did not rate (Krippendorff 2011).

    Units with fewer than two ratings are left out. NaN where all ratings are the same: nothing could disagree.
    """
    return _alpha(*_counts(np.asarray(ratings, np.float64)), scale)


def krippendorff_interval(
    ratings: Floats, *, scale: Scale = "nominal", clusters: Sequence[str] = (), level: float = 0.95, seed: int = 0
) -> Interval:
    """The interval of alpha, from drawing units, or clusters of them, again and again; NaN where alpha is."""
    counts, values = _counts(np.asarray(ratings, np.float64))
    if not isfinite(_alpha(counts, values, scale)):
        return Interval(nan, nan, level, "nothing could disagree")
    units = np.arange(len(counts), dtype=np.float64)
    found = bootstrap(
        np.column_stack([units, units]),  # the rows are units; two columns, since one would be a mean
        lambda rows: _alpha(counts[rows[:, 0].astype(np.intp)], values, scale),
        clusters=clusters,
        level=level,
        seed=seed,
    )
    twice = counts.sum(1) >= 2
    return cautious(found, _unlike(counts[twice], values, scale), list(compress(clusters, twice)))


def cautious(found: Interval, unlike: Floats, clusters: Sequence[str]) -> Interval:
    """The interval of an agreement, within -1..1, of which a handful of disagreements is no proof.

    `unlike` is the disagreement of each unit as a share of the one by chance: agreement is 1 less their mean. Where
    fewer than RARE clusters have any, the low end is not above what imagined units without agreement allow, as Agresti
    and Coull (1998) have them for rates: ten without a disagreement are not certain of the next.
    """
    groups, low = group(clusters, len(unlike)), max(-1.0, found.low)
    if clusters_with(unlike > 0, groups) < RARE:
        shares = np.minimum(unlike, 1.0)[:, None]
        low = min(low, 1 - interval(shares, plain_mean, clusters=clusters, bounds=(0.0, 1.0), level=found.level).high)
    return Interval(low, min(1.0, found.high), found.level, found.method)


def _counts(ratings: Floats) -> tuple[Floats, Floats]:
    """How often each unit got each value, shape (units, values), and the values, ascending."""
    values = np.unique(ratings[~np.isnan(ratings)])
    return (ratings[:, :, None] == values).sum(1).astype(np.float64), values


def _alpha(counts: Floats, values: Floats, scale: Scale) -> float:
    counts = counts[counts.sum(1) >= 2]
    return 1 - float(_unlike(counts, values, scale).mean()) if len(counts) else nan


def _unlike(counts: Floats, values: Floats, scale: Scale) -> Floats:
    """How far the raters of each unit are apart, as a share of what chance gives; of at least two ratings each.

    Not numbers where nothing could disagree.
    """
    totals = counts.sum(0)
    apart = _apart(totals, values, scale)
    seen = ((counts @ apart) * counts).sum(1) / (counts.sum(1) - 1)
    by_chance = float(totals @ apart @ totals)
    return len(counts) * float(totals.sum() - 1) * seen / by_chance if by_chance else np.full(len(counts), nan)


def _apart(totals: Floats, values: Floats, scale: Scale) -> Floats:
    """Squared distances of values; on the ordinal scale the number of ratings between two of them."""
    if scale == "nominal":
        return 1 - np.eye(len(values))
    places = np.cumsum(totals) - totals / 2 if scale == "ordinal" else values
    return np.square(np.subtract.outer(places, places))
