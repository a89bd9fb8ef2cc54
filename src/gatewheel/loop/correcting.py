"""A judge's figures corrected by people's grades of the same answers. Raw they count nowhere.

Which grades may correct: those of the very answers that are compared. The golden set cannot do it: what it tells of the
judge's error is the same for both variants and falls out of their difference, so that the raw difference would be left,
with every liking of the judge for longer or for its own words in it. So a gate asks people for some of these answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.judge import Judge
from gatewheel.evals.people import Item, Side
from gatewheel.evals.statistics import ppi
from gatewheel.evals.statistics.intervals import RARE
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Report
from gatewheel.kernel.ports import Metric
from gatewheel.loop import golden, probation, reports
from gatewheel.loop.columns import aligned, column
from gatewheel.loop.recipes import digest
from gatewheel.loop.weighing import more
from gatewheel.ops import gate
from gatewheel.ops.gate import Figure, Finding, Measurements, Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.evals.statistics.clusters import Floats
    from gatewheel.evals.statistics.intervals import Flags
    from gatewheel.evals.statistics.ppi import Powered
    from gatewheel.loop.compose import Parts

Grades = Mapping[str, float]
Both = tuple[Report, Report | None]


def corrected(
    parts: Parts,
    settings: Settings,
    measured: Measurements,
    metrics: Mapping[str, Metric],
    both: Both,
    *,
    complete: bool,
) -> Measurements:
    """What a gate knows of a candidate, with the figures of judges corrected, and withheld where grades are missing.

    `both` are the reports of candidate and incumbent. Nothing of a judge is shown before all cases are asked. That the
    judges are admitted is known by then (besides.py).
    """
    for name in settings.metrics:
        if isinstance(judge := metrics.get(name), Judge):
            one = Corrector(name=name, judge=judge, level=1 - 2 * settings.alpha)
            measured = _one(parts, settings, measured, one, both, complete=complete)
    return measured


def grades(engine: Engine, report: Report, by: Corrector) -> Grades:
    """case → the mean grade of the people who graded this very answer. Raises UserError for one off the scale."""
    kept, made = reports.get(engine, report.id), {}
    given = golden.labelled(engine, report.suite, by.criterion)
    for case, asked in kept.cases.items():
        if people := given.get(Item(case=asked.key, a=Side(report.variant, asked.corpus))):
            golden.refuse_off_scale(by.judge, people, f"case '{case[:80]}' of {report.suite}", by.criterion)
            made[case] = sum(people.values()) / len(people)
    return made


def rests(parts: Parts, settings: Settings, variants: Iterable[str]) -> dict[str, dict[str, str]]:
    """What a decision on these variants rests on where judges count: for each its measurement and people's grades."""
    whose, made = frozenset(variants), {}
    for name in judges(parts, settings):
        record = probation.newest(parts.engine, name)
        criterion = probation.settings_of(parts.config, name).criterion or name
        given = golden.labelled(parts.engine, settings.suite, criterion)
        mine = [
            [item.case, item.a.variant, item.a.corpus, sorted(people.items())]
            for item, people in given.items()
            if item.a.variant in whose and not item.repeat  # of a case asked twice a gate counts the first time
        ]
        made[name] = digest([record.id if record else "", sorted(mine)])
    return {"judges": made} if made else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrector:
    """A judge by the name of its metric, and how sure one wants to be."""

    name: str
    judge: Judge
    level: float = 0.95

    @property
    def criterion(self) -> str:
        """What people's grades call it."""
        return self.judge.settings.criterion or self.name

    def figure(self, report: Report, people: Grades, *, tag: str = "") -> Powered:
        """The mean grade that people would give all answers of a report to which the judge gave one."""
        found = column(report, self.name, tag=tag)
        given, bounds = _labels(found.cases, people), self.judge.bounds
        return ppi.mean(given, found.rows[:, 0], clusters=found.clusters, bounds=bounds, level=self.level)

    def difference(
        self, a: Report, b: Report, people: tuple[Grades, Grades], *, tag: str = ""
    ) -> tuple[Powered, tuple[float, float]]:
        """By how much people would grade b higher than a, and both figures; NaN where nobody graded both answers."""
        before, after = aligned(a, b, self.name, tag=tag)
        first, second = (_labels(before.cases, one) for one in people)
        judged, bounds = (before.rows[:, 0], after.rows[:, 0]), self.judge.bounds
        found = ppi.difference((first, second), judged, clusters=before.clusters, bounds=bounds, level=self.level)
        has = np.isfinite(first) & np.isfinite(second)
        return found, (_level(first, judged[0], has, found.weight), _level(second, judged[1], has, found.weight))


def judges(parts: Parts, settings: Settings) -> list[str]:
    """The judges that a gate counts."""
    return sorted({*settings.metrics} & {*probation.names(parts.config)})


def _one(
    parts: Parts, settings: Settings, measured: Measurements, by: Corrector, both: Both, *, complete: bool
) -> Measurements:
    name, (candidate, incumbent) = by.name, both
    try:
        mine = grades(parts.engine, candidate, by)
        theirs = grades(parts.engine, incumbent, by) if incumbent else mine
    except UserError as error:
        return _withheld(measured, name, f"{name} does not count: {error.what}.")
    compares = incumbent is not None and bool({name} & {*settings.better, *settings.not_worse, *settings.slices})
    graded = set(mine) & (set(theirs) if compares else set(mine)) & {row.case for row in candidate.rows}
    if len(graded) < RARE:
        return _withheld(measured, name, _ask(by, both, len(graded), compares=compares))
    powered = by.figure(candidate, mine)
    figures = {**measured.figures, name: _figure(measured.figures[name], powered)} if name in measured.figures else {}
    findings = measured.findings
    if incumbent is not None and findings is not None:
        findings = [
            _finding(found, by, (incumbent, candidate), (theirs, mine), complete=complete)
            if found.demand.metric == name
            else found
            for found in findings
        ]
    return replace(measured, figures=figures or measured.figures, findings=findings)


def _finding(
    found: Finding, by: Corrector, both: tuple[Report, Report], people: tuple[Grades, Grades], *, complete: bool
) -> Finding:
    demand, judge = found.demand, by.judge
    powered, (before, after) = by.difference(*both, people, tag=demand.slice)
    sign = 1.0 if judge.better == "higher" else -1.0
    low, high = sorted((sign * powered.interval.low + 0.0, sign * powered.interval.high + 0.0))
    shown = gate.shown(demand, low, high) if complete and powered.labelled >= 2 else None
    if not complete or high - low >= 2 * (judge.bounds[1] - judge.bounds[0]):
        low, high = -math.inf, math.inf
    made = replace(
        found,
        candidate=after if powered.labelled else found.candidate,
        incumbent=before if powered.labelled else found.incumbent,
        gain=sign * powered.estimate + 0.0 if powered.labelled else 0.0,
        low=low,
        high=high,
        shown=None if shown and found.dropped else shown,
        unit="grades",
        there=None,  # nobody graded these, and raw it does not count
        note=f", {note(powered)}",
    )
    return replace(made, more=more(made, alpha=(1 - by.level) / 2, n=powered.labelled))


def _figure(raw: Figure, powered: Powered) -> Figure:
    interval = powered.interval
    return replace(raw, value=powered.estimate, low=interval.low, high=interval.high, note=f", {note(powered)}")


def note(powered: Powered) -> str:
    """How a figure was corrected, in words."""
    counts = f"people graded {powered.labelled} of {powered.cases}"
    return f"{counts}, the judge counts {powered.weight:.2f}" if powered.weight else f"{counts}, the judge adds nothing"


def _withheld(measured: Measurements, name: str, text: str) -> Measurements:
    return replace(measured, withheld={**measured.withheld, name: ("inconclusive", text)})


def _ask(by: Corrector, both: Both, graded: int, *, compares: bool) -> str:
    candidate, incumbent = both
    whose = "both answers of" if compares else "the answers to"
    who = f"--a {candidate.variant[:12]}" + (f" --b {incumbent.variant[:12]}" if compares and incumbent else "")
    rubric = f"{by.criterion}={golden.scale(by.judge)}"
    label = f"gatewheel evals label {candidate.suite} {who} --rubric {rubric} --rater NAME"
    few = f"people graded {whose} {graded} cases, and it takes {RARE} to know what the judge errs on them"
    return f"{by.name} is what a judge says, and raw it does not count: {few}. Run {label}"


def _labels(cases: tuple[str, ...], people: Grades) -> Floats:
    return np.array([people.get(case, math.nan) for case in cases], np.float64)


def _level(labels: Floats, judged: Floats, has: Flags, weight: float) -> float:
    """The figure of one of two variants, so that their difference is the one that was found."""
    if not has.any():
        return math.nan
    rest = float(judged[~has].mean()) if weight and not has.all() else 0.0
    return float((labels[has] - weight * judged[has]).mean()) + weight * rest
