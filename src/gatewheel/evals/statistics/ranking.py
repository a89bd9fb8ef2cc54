"""Ranks variants that people or judges compared two at a time: Bradley and Terry's model (1952), with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.statistics.clusters import group
from gatewheel.evals.statistics.intervals import Interval
from gatewheel.evals.statistics.resampling import LEAVES, bca, expanded

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats, Places

RESAMPLES = 1000
HANDICAP = 0.5  # wins, and as many losses, against an imagined average: who never lost is strong, not infinite


@dataclass(frozen=True, slots=True)
class Match:
    """`outcome` is 1 where the first won, 0 where the second did, 1/2 for a tie. Matches of a cluster hang together."""

    first: str
    second: str
    outcome: float
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """`strength` in logits, 0 on average: i beats j with probability 1 / (1 + exp(strength j - strength i))."""

    name: str
    strength: float
    interval: Interval
    matches: int


def rank(matches: Sequence[Match], *, level: float = 0.95, seed: int = 0) -> tuple[Ranked, ...]:
    """The strongest first. Intervals draw clusters of matches with replacement; infinite for a single cluster."""
    if not matches:
        return ()
    names = sorted({name for match in matches for name in (match.first, match.second)})
    number = {name: i for i, name in enumerate(names)}
    first = np.array([number[match.first] for match in matches], np.intp)
    second = np.array([number[match.second] for match in matches], np.intp)
    outcome = np.array([match.outcome for match in matches], np.float64)
    groups = group([match.cluster for match in matches], len(matches))
    every = np.arange(groups.count)

    def strengths(clusters: Places) -> Floats:
        rows = groups.rows(clusters)
        return _fit(_wins(first[rows], second[rows], outcome[rows], len(names)))

    whole = strengths(every)
    rng = np.random.default_rng(seed)
    intervals = [Interval(-np.inf, np.inf, level, "one cluster")] * len(names)
    if groups.count > 1:
        drawn = np.array([strengths(rng.integers(0, groups.count, groups.count)) for _ in range(RESAMPLES)])
        blocks = np.array_split(every, min(groups.count, LEAVES))
        left_out = np.array([strengths(np.delete(every, block)) for block in blocks])
        z = expanded(level, groups)
        ends = [bca(drawn[:, i], whole[i], left_out[:, i], z) for i in range(len(names))]
        intervals = [Interval(*(end or (-np.inf, np.inf)), level, "BCa bootstrap") for end in ends]
    played = np.bincount(first, minlength=len(names)) + np.bincount(second, minlength=len(names))
    order = np.argsort(-whole, kind="stable")
    return tuple(Ranked(names[i], float(whole[i]), intervals[i], int(played[i])) for i in order)


def _wins(first: Places, second: Places, outcome: Floats, count: int) -> Floats:
    """How often i beat j, shape (players, players)."""
    wins = np.bincount(first * count + second, outcome, count * count)
    wins = wins + np.bincount(second * count + first, 1 - outcome, count * count)
    return wins.reshape(count, count).astype(np.float64)


def _fit(wins: Floats) -> Floats:
    """The strengths of greatest likelihood by Newton's method; the handicap makes it strictly concave."""
    games, count = wins + wins.T, len(wins)
    strength = np.zeros(count)
    for _ in range(50):
        chance = 1 / (1 + np.exp(np.subtract.outer(strength, strength).T))
        alone = 1 / (1 + np.exp(-strength))
        slope = (wins - games * chance).sum(1) + HANDICAP * (1 - 2 * alone)
        bend = games * chance * (1 - chance)
        curvature = np.diag(bend.sum(1) + 2 * HANDICAP * alone * (1 - alone)) - bend
        step = np.linalg.solve(curvature, slope)
        strength = strength + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(strength - strength.mean(), np.float64)
