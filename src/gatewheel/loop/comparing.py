"""Two reports of one suite, case by case: how far apart they are, how sure that is, where, and which cases flipped."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gatewheel.evals.judge import Judge
from gatewheel.evals.statistics.conclusion import Conclusion
from gatewheel.evals.statistics.folding import OwnInterval
from gatewheel.evals.statistics.intervals import Interval, interval
from gatewheel.evals.statistics.pairs import Paired, compare, holm
from gatewheel.evals.statistics.power import cases_needed
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Report
from gatewheel.kernel.ports import Metric
from gatewheel.loop.columns import Column, aligned, column, is_binary, metrics_in, tags_in
from gatewheel.loop.leaks import clean
from gatewheel.loop.reports import Kept

Metrics = dict[str, Metric]
RAW, CORRECTED = "raw", "corrected"  # what a judge says, and the same by people's grades


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of a report with its interval, over `n` cases; `value` is not a number where it applies to none.

    `judged` is raw for what a judge says: no finding before people's grades correct it (correcting.py).
    """

    metric: str
    better: Literal["higher", "lower"]
    value: float
    interval: Interval
    n: int
    judged: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A metric of both reports on the cases that both have, of one slice or of all (""). `p` is adjusted (Holm)."""

    a: Figure
    b: Figure
    slice: str
    paired: Paired
    p: float
    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that one report got right and the other wrong: its scores in both."""

    case: str
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate b against incumbent a. Slices are looked at after the fact, so their p is adjusted for all of them.

    `without` are the rows over the cases to which nothing leaked; none where nothing did.
    """

    rows: tuple[Row, ...]
    slices: tuple[Row, ...]
    level: float
    without: tuple[Row, ...] = ()


def figures(report: Report, metrics: Metrics, *, level: float = 0.95, tag: str = "") -> list[Figure]:
    """The metrics of a report, in their order."""
    return [figure(name, metric, column(report, name, tag=tag), level) for name, metric in metrics.items()]


def compared(
    a: Kept, b: Kept, metrics: Metrics, *, margin: float = 0.02, level: float = 0.95, hits: Collection[str] = ()
) -> Comparison:
    """Compare by these metrics. A difference below `margin`, a share of a metric's range, does not matter.

    Into the cases `hits` something leaked (leaks.py). Raises UserError for reports that cannot be compared.
    """
    if a.report.suite_id != b.report.suite_id:
        what = f"{a.report.id[:12]} ({a.report.suite}) and {b.report.id[:12]} ({b.report.suite})"
        cure = f"run `gatewheel evals run {b.report.suite}` for both"
        raise UserError(f"{what} are of different suites, or of different states of one", cure=cure)
    rows = _rows(a.report, b.report, metrics, "", margin=margin, level=level)
    every = len(a.report.rows)
    tags = [tag for tag in tags_in(a.report) if sum(tag in row.tags for row in a.report.rows) < every]
    slices = [row for tag in tags for row in _rows(a.report, b.report, metrics, tag, margin=margin, level=level)]
    rest = clean(a.report, hits), clean(b.report, hits)
    return Comparison(
        rows=_adjusted(rows, level),
        slices=_adjusted(slices, level),
        level=level,
        without=_adjusted(_rows(*rest, metrics, "", margin=margin, level=level), level) if hits else (),
    )


def flips(a: Report, b: Report, name: str, metric: Metric) -> list[Flip]:
    """The cases whose score crossed the middle of its range, the largest change first; none where it has none."""
    left, right = aligned(a, b, name)
    low, high = metric.bounds
    middle = (low + high) / 2
    if left.rows.shape[1] > 1 or not math.isfinite(middle):
        return []
    scores = zip(left.cases, left.rows[:, 0].tolist(), right.rows[:, 0].tolist(), strict=True)
    found = [Flip(case, before, after) for case, before, after in scores if (before < middle) != (after < middle)]
    return sorted(found, key=lambda flip: -abs(flip.b - flip.a))


def picked(report: Report, wanted: Sequence[str]) -> list[str]:
    """The metrics of a report, or those that are wanted. Raises UserError for one that it has not."""
    known = metrics_in(report)
    for name in wanted:
        if name not in known:
            raise UserError(f"report {report.id[:12]} has no metric '{name}'", cure=did_you_mean(name, known))
    return list(wanted) or known


def figure(name: str, metric: Metric, found: Column, level: float) -> Figure:
    """A metric over a column, with its interval."""
    n = len(set(found.cases))
    value = metric.figure(found.rows) if n else math.nan
    bounds = (float(metric.bounds[0]), float(metric.bounds[1]))
    if isinstance(metric, OwnInterval):
        sure = metric.interval(found.rows, clusters=found.clusters, level=level)
    else:
        sure = interval(found.rows, metric.figure, clusters=found.clusters, bounds=bounds, level=level)
    return Figure(name, metric.better, value, sure, n, RAW if isinstance(metric, Judge) else "")


def _rows(a: Report, b: Report, metrics: Metrics, tag: str, *, margin: float, level: float) -> list[Row]:
    found = []
    for name, metric in metrics.items():
        left, right = aligned(a, b, name, tag=tag)
        if not left.cases:
            continue
        paired = compare(
            left.rows,
            right.rows,
            metric.figure,
            clusters=left.clusters,
            better=metric.better,
            bounds=(float(metric.bounds[0]), float(metric.bounds[1])),
            binary=is_binary(metric, left, right),
            margin=scaled(metric, left, margin),
            level=level,
        )
        before, after = figure(name, metric, left, level), figure(name, metric, right, level)
        conclusion = Conclusion("inconclusive") if after.judged == RAW else paired.conclusion
        found.append(Row(before, after, tag, paired, paired.p, conclusion))
    return found


def scaled(metric: Metric, incumbent: Column, margin: float) -> float:
    """A margin given as a share, in the unit of the metric: of its range, or of the incumbent's figure without one."""
    low, high = metric.bounds
    return margin * (high - low if math.isfinite(high - low) else abs(metric.figure(incumbent.rows)))


def _adjusted(rows: Sequence[Row], level: float) -> tuple[Row, ...]:
    """Rows with Holm's p. What was better or worse by itself, but not among so many looks, is inconclusive."""
    made = []
    for row, p in zip(rows, holm([row.paired.p for row in rows]), strict=True):
        conclusion = row.conclusion
        if conclusion.word in ("better", "worse") and p > 1 - level:
            conclusion = Conclusion("inconclusive", _more(row.paired, level=1 - (1 - level) / len(rows)))
        made.append(replace(row, p=p, conclusion=conclusion))
    return tuple(made)


def _more(paired: Paired, *, level: float) -> int | None:
    needed = cases_needed(paired.difference, sd=paired.error * math.sqrt(paired.n), level=level)
    return None if needed is None else max(1, needed - paired.n)
