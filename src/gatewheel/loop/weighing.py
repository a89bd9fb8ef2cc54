"""Tests what a gate demands on two reports of the same suite. Asks nobody and decides nothing.

Looked at once, a demand is settled by an interval of which each end errs with the gate's alpha. Looked at again and
again, it is settled by a bet that may be looked at at any time (evals/statistics/sequential.py). What cannot be bet on,
a metric without bounds or cases that are not independent, waits for all cases, which is looking once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatewheel.evals.statistics import conclusion
from gatewheel.evals.statistics.pairs import compare
from gatewheel.evals.statistics.resampling import is_mean
from gatewheel.evals.statistics.sequential import Evidence
from gatewheel.kernel.nouns import Case, Report
from gatewheel.kernel.ports import Metric
from gatewheel.loop.columns import Column, aligned, cases_with, column, dropped, is_binary
from gatewheel.loop.comparing import figures
from gatewheel.ops import gate
from gatewheel.ops.gate import Demand, Figure, Finding, Measurements, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Looking:
    """How a suite is gone through: `order` of the cases by id where looks are taken on the way, else empty.

    `complete` says that every case was asked.
    """

    order: tuple[str, ...] = ()
    complete: bool = True


ONCE = Looking()
_KIND = re.compile(r"metric [\w-]+|[A-Z]\w*(?:Error|Exception|Timeout|Interrupt)\b")  # as errors of cases begin


def weigh(
    settings: Settings,
    metrics: Mapping[str, Metric],
    candidate: Report,
    incumbent: Report | None,
    *,
    slices: Iterable[str] = (),
    looking: Looking = ONCE,
) -> Measurements:
    """All that is known of a candidate. `metrics` are those of the suite."""
    slices = tuple(slices)
    named = {name: metrics[name] for name in settings.metrics if name in metrics}
    level = 1 - 2 * settings.alpha
    asked = {row.case for row in candidate.rows}
    errors = {row.case: row.error for row in candidate.rows if row.error}
    theirs = {row.case: row.error for row in incumbent.rows if row.error and row.case in asked} if incumbent else {}
    findings, silent = None, []
    if incumbent is not None:
        wanted = [demand for demand in gate.demands(settings, slices) if demand.metric in metrics]
        found = [
            finding(demand, metrics[demand.metric], candidate, incumbent, alpha=settings.alpha, looking=looking)
            for demand in wanted
        ]
        findings = [one for one in found if one is not None]
        silent = [demand for demand in wanted if looking.complete and _silent(demand, candidate, incumbent)]
    return Measurements(
        figures={
            one.metric: Figure(
                value=None if math.isnan(one.value) else one.value,
                low=one.interval.low,
                high=one.interval.high,
                cases=one.n,
                of=len(_applies(one.metric, candidate, incumbent)),
            )
            for one in figures(candidate, named, level=level)
        },
        cases=len(asked),
        findings=findings,
        slices=slices,
        unanswered=len(errors),
        first_error=first_failure(errors),
        unchanged=incumbent is not None and incumbent.variant == candidate.variant,
        incumbent_unanswered=len(theirs),
        incumbent_error=first_failure(theirs),
        silent=tuple(silent),
    )


def first_failure(errors: Mapping[str, str]) -> str:
    """Which case failed first and of what kind that was; its words, which may quote the case, stay in the report.

    A decision is written into a history that nobody can take them out of again.
    """
    for case, error in errors.items():
        kind = _KIND.match(error)
        return f"case {case}{f', {kind[0]}' if kind else ''}; its report says why"
    return ""


def finding(
    demand: Demand, metric: Metric, candidate: Report, incumbent: Report, *, alpha: float, looking: Looking = ONCE
) -> Finding | None:
    """What two reports say of a demand, over the cases that both have; None where the metric has no value of both."""
    before, after = aligned(incumbent, candidate, demand.metric, tag=demand.slice)
    if not before.cases:
        return None
    bounds = (float(metric.bounds[0]), float(metric.bounds[1]))
    paired = compare(
        before.rows,
        after.rows,
        metric.figure,
        clusters=before.clusters,
        better=metric.better,
        bounds=bounds,
        binary=is_binary(metric, before, after),
        level=1 - 2 * alpha,
        tested=False,
    )
    sign = 1.0 if metric.better == "higher" else -1.0
    low, high = sorted((sign * paired.interval.low + 0.0, sign * paired.interval.high + 0.0))  # no -0.0
    shown = gate.shown(demand, low, high)
    if high - low >= 2 * (bounds[1] - bounds[0]):  # nothing is known, so no number of cases can be told either
        low, high = -math.inf, math.inf
    if looking.order and _can_be_bet_on(demand, metric, before):
        shown, low, high = _bet(demand, metric, before, after, alpha=alpha, order=looking.order), -math.inf, math.inf
    elif not looking.complete:
        shown, low, high = None, -math.inf, math.inf
    lost = dropped(incumbent, candidate, demand.metric, tag=demand.slice)
    gained = dropped(candidate, incumbent, demand.metric, tag=demand.slice)
    there = column(replace(candidate, rows=tuple(row for row in candidate.rows if row.case in gained)), demand.metric)
    found = Finding(
        demand=demand,
        candidate=metric.figure(after.rows),
        incumbent=metric.figure(before.rows),
        gain=sign * paired.difference + 0.0,
        low=low,
        high=high,
        cases=len(set(before.cases)),
        shown=None if shown and lost else shown,
        dropped=len(lost),
        gained=len(gained),
        there=metric.figure(there.rows) if there.cases else None,
    )
    return found if found.shown is not None else replace(found, more=more(found, alpha=alpha))


def more(found: Finding, *, alpha: float, n: int = 0) -> int | None:
    """About how many more cases would settle a demand if the gain stays what it is, to two digits; None: out of sight.

    `n` is what there is of them where that is not the cases of both.
    """
    distance = found.gain - found.demand.by
    half = found.gain - found.low if distance > 0 else found.high - found.gain
    needed = conclusion.more(abs(distance), half, n=n or found.cases, level=1 - 2 * alpha) if half > 0 else None
    return needed and conclusion.rounded(needed)


def independent(cases: Iterable[Case]) -> bool:
    """Whether no two cases are of one cluster."""
    return all(count == 1 for cluster, count in Counter(case.cluster for case in cases).items() if cluster)


def _applies(metric: str, candidate: Report, incumbent: Report | None) -> set[str]:
    """The cases asked on which either has a value; with nobody to compare with, all, for who abstains has none."""
    asked = {row.case for row in candidate.rows}
    if incumbent is None:
        return asked
    return cases_with(candidate, metric) | cases_with(incumbent, metric) & asked


def _silent(demand: Demand, candidate: Report, incumbent: Report) -> bool:
    """Whether the cases of a slice were asked of both and the metric has a value on none of them, of neither."""
    both = (candidate, incumbent)
    asked = all(any(demand.slice in row.tags for row in report.rows) for report in both)
    return asked and not any(cases_with(report, demand.metric, tag=demand.slice) for report in both)


def _can_be_bet_on(demand: Demand, metric: Metric, rows: Column) -> bool:
    width = metric.bounds[1] - metric.bounds[0]
    return math.isfinite(width) and abs(demand.by) < width and is_mean(metric.figure, rows.rows)


def _bet(
    demand: Demand, metric: Metric, before: Column, after: Column, *, alpha: float, order: Sequence[str]
) -> bool | None:
    """Whether bets for or against the demand have won by now, laid on one case after the other in a random order."""
    width = float(metric.bounds[1] - metric.bounds[0])
    sign = 1.0 if metric.better == "higher" else -1.0
    gains = dict(zip(before.cases, (sign * (after.rows - before.rows)[:, 0]).tolist(), strict=True))
    ordered = [gains[case] for case in order if case in gains]
    holds = Evidence((-width, width), -demand.by, alpha)
    holds.add(ordered)
    fails = Evidence((-width, width), demand.by, alpha)
    fails.add([-gain for gain in ordered])
    return None if holds.rejects == fails.rejects else holds.rejects
