"""What a suite can tell before anything is asked: the smallest difference that it would find four times in five."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.evals.statistics.pairs import compare
from gatewheel.evals.statistics.power import (
    guessed_design_effect,
    guessed_sd,
    observed_design_effect,
    observed_sd,
    smallest_difference,
)
from gatewheel.kernel.nouns import Case, Report
from gatewheel.kernel.ports import Metric
from gatewheel.loop import reports
from gatewheel.loop.answers import Key
from gatewheel.loop.asking import Job, Reply
from gatewheel.loop.columns import aligned, column, is_binary
from gatewheel.loop.evaluate import chosen
from gatewheel.loop.scoring import Scorer

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOOK_BACK = 10  # reports among which two of different variants are sought
SAMPLE = 200  # cases that tell to how many a metric applies, to 3 or 4 in 100
TWO_SIDED = 1.96  # standard errors from the middle of a 95 % interval to its end
NEVER = Key(variant="", corpus="", case="")


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest difference in a metric that `cases` can show; None where nothing can be said before.

    `basis` is where the spread was taken from: "two reports", "one report", "worst case"; "too few cases" where only
    more than the whole range of the metric would be found.
    """

    metric: str
    cases: int
    difference: float | None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class _Spread:
    """Standard deviation of the differences of single cases, and how much clusters add to what it costs."""

    sd: float
    design_effect: float
    basis: str


def detectable(
    engine: Engine, suite_id: str, cases: Sequence[Case], metrics: Mapping[str, Metric], *, level: float = 0.95
) -> list[Detectable]:
    """For each metric what these cases can show, by earlier reports of the suite where there are any.

    To how many cases it applies is estimated from some of them where there are many: a metric may run a program.
    """
    earlier = _earlier(engine, suite_id)
    found = []
    some = chosen(cases, SAMPLE)
    with Scorer(metrics) as scorer:
        rows = [scorer.score(Reply(job=Job(case=case, repeat=0, key=NEVER), answer=None)) for case in some]
    for name, metric in metrics.items():
        # what the metric says of no answer tells whether it applies, but for those that have no worst
        where = [case for case, row in zip(some, rows, strict=True) if row.values[name] is not None] or some
        single = all(len(row.values[name] or (0.0,)) == 1 for row in rows)
        every = where if len(some) == len(cases) else cases  # of which the clusters are, of some they look smaller
        spread = _spread(name, metric, every, earlier, single=single)
        applies = round(len(cases) * len(where) / len(some)) if some else 0
        found.append(_told(name, metric, applies, spread, level))
    return found


def _earlier(engine: Engine, suite_id: str) -> list[Report]:
    """The newest report of a state of a suite, and the newest one of another variant."""
    known = reports.heads(engine, limit=LOOK_BACK, suite_id=suite_id)
    other = [one for one in known if one.variant != known[0].variant]
    return [reports.get(engine, one.id).report for one in (*known[:1], *other[:1])]


def _told(name: str, metric: Metric, cases: int, spread: _Spread | None, level: float) -> Detectable:
    if spread is None:
        return Detectable(name, cases, None)
    effect = max(spread.design_effect, 1e-9)
    difference = smallest_difference(cases, sd=spread.sd, level=level, design_effect=effect)
    if not difference < metric.bounds[1] - metric.bounds[0] or not math.isfinite(difference):
        return Detectable(name, cases, None, "too few cases")
    return Detectable(name, cases, difference, spread.basis)


def _spread(
    name: str, metric: Metric, cases: Sequence[Case], earlier: Sequence[Report], *, single: bool
) -> _Spread | None:
    pair = _two_variants(earlier)
    if pair and (seen := _between(name, metric, *pair)):
        return seen
    among = guessed_design_effect([case.cluster for case in cases])
    bounds = (float(metric.bounds[0]), float(metric.bounds[1]))
    if not single:
        return None
    for report in earlier[:1]:
        scores = column(report, name).rows[:, 0]
        # two variants that are right independently of each other; those of one project agree more often
        if (sd := observed_sd(scores) * math.sqrt(2)) and math.isfinite(sd):
            return _Spread(sd, among, "one report")
    return _Spread(guessed_sd(bounds), among, "worst case") if all(map(math.isfinite, bounds)) else None


def _two_variants(earlier: Sequence[Report]) -> tuple[Report, Report] | None:
    return next(((earlier[0], other) for other in earlier if other.variant != earlier[0].variant), None)


def _between(name: str, metric: Metric, a: Report, b: Report) -> _Spread | None:
    left, right = aligned(a, b, name)
    if len(left.cases) < 2:
        return None
    paired = compare(
        left.rows,
        right.rows,
        metric.figure,
        clusters=left.clusters,
        bounds=(float(metric.bounds[0]), float(metric.bounds[1])),
        binary=is_binary(metric, left, right),
        tested=False,
    )
    # the interval admits more than the error where two reports differ in so few cases that there is hardly any spread
    error = (paired.interval.high - paired.interval.low) / 2 / TWO_SIDED
    if left.rows.shape[1] > 1 or error > paired.error:
        sd, effect = max(error, paired.error) * math.sqrt(paired.n), 1.0
    else:
        sd = observed_sd((right.rows - left.rows)[:, 0])
        effect = observed_design_effect(paired.error, sd=sd, n=paired.n)
    return _Spread(sd, effect, "two reports") if 0 < sd < math.inf else None
