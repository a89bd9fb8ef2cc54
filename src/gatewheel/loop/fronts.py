"""Candidates against each other, pair by pair: how far from the best, and which ones nothing surely beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.judge import Judge
from gatewheel.evals.statistics.intervals import Interval, interval_of_difference
from gatewheel.evals.statistics.pairs import Paired, compare, holm
from gatewheel.evals.statistics.pareto import dominates
from gatewheel.kernel.numbers import finite
from gatewheel.loop.candidates import Gap
from gatewheel.loop.columns import aligned, is_binary
from gatewheel.loop.comparing import scaled

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Report
    from gatewheel.kernel.ports import Metric

COST, QUALITY = "cost", "quality"


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Reports by their ids with one metric and one cost, each pair compared once.

    A `cost` that is one number is known exactly, as a price is; seconds have one for each case (`timed`), and differ
    only where their interval says so. What differs in quality by less than `margin`, a share of the range, is equal.
    """

    reports: Mapping[str, Report]
    metric: str
    by: Metric
    costs: Mapping[str, float]
    timed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    margin: float = 0.0
    level: float = 0.95
    _made: dict[tuple[str, str], Paired] = field(default_factory=dict)

    def compared(self, a: str, b: str) -> Paired:
        """The quality of b against that of a, over the cases that both have."""
        if (a, b) not in self._made:
            left, right = aligned(self.reports[a], self.reports[b], self.metric)
            low, high = self.by.bounds
            self._made[a, b] = compare(
                left.rows,
                right.rows,
                self.by.figure,
                clusters=left.clusters,
                better=self.by.better,
                bounds=(float(low), float(high)),
                binary=is_binary(self.by, left, right),
                margin=scaled(self.by, left, self.margin) if left.cases else 0.0,
                level=self.level,
            )
        return self._made[a, b]

    def difference(self, a: str, b: str, objective: str) -> Interval:
        """The interval of b minus a; without width where it is known exactly, or counts as equal."""
        if objective == COST:
            return self._dearer(a, b)
        found = self.compared(a, b)
        equal = self.margin and found.conclusion.word == "equivalent"
        return Interval(0.0, 0.0, self.level, "equivalent") if equal else found.interval

    @property
    def raw(self) -> bool:
        """Whether the quality is what a judge says: raw it finds nobody better than another."""
        return isinstance(self.by, Judge)

    def beaten_by(self, a: str) -> list[str]:
        """Those that are surely better on one count and surely better, or equal, on the other."""
        if self.raw:
            return []
        objectives = {COST: "lower", QUALITY: self.by.better}  # cost first: it costs nothing to compare
        known = [name for name in self.costs if name != a]
        return [b for b in known if dominates(b, a, objectives, self.difference)]

    def gaps(self, best: str, others: Sequence[str], number: int) -> dict[str, Gap]:
        """How far each of the others is from the best; p adjusted for all of them."""
        found = {name: self.compared(best, name) for name in others}
        adjusted = holm([one.p for one in found.values()])
        return {name: self._gap(one, p, number) for (name, one), p in zip(found.items(), adjusted, strict=True)}

    def _gap(self, one: Paired, p: float, number: int) -> Gap:
        luck = self.raw or (one.conclusion.word in ("better", "worse") and p > 1 - self.level)
        return Gap(
            to=number,
            difference=one.difference,
            low=finite(one.interval.low),
            high=finite(one.interval.high),
            p=p,
            verdict="inconclusive" if luck else one.conclusion.word,
            cases=one.n,
            cases_needed=None if self.raw else one.conclusion.cases_needed,
        )

    def _dearer(self, a: str, b: str) -> Interval:
        if not self.timed:
            exact = self.costs[b] - self.costs[a]
            return Interval(exact, exact, self.level, "exact")
        left, right = self.timed[a], self.timed[b]
        both = [case for case in left if case in right]
        if not both:
            return Interval(-math.inf, math.inf, self.level, "no cases")
        clusters = {row.case: row.cluster for row in self.reports[a].rows}
        rows = np.array([[right[case] - left[case]] for case in both], np.float64)
        named = [clusters.get(case, "") for case in both]
        return interval_of_difference(rows, lambda one: float(one.mean()), clusters=named, level=self.level)
