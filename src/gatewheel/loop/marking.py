"""Reports and comparisons with the figures of judges twice: raw as the judge said it, corrected by people's grades."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewheel.evals.judge import Judge
from gatewheel.evals.statistics.clusters import group
from gatewheel.evals.statistics.conclusion import conclude
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.numbers import finite
from gatewheel.kernel.ports import Metric
from gatewheel.loop.columns import aligned
from gatewheel.loop.comparing import CORRECTED
from gatewheel.loop.correcting import Corrector, Grades, grades
from gatewheel.loop.evaluated import Difference, Measured, ReportCompare, ReportShow

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.evals.statistics.ppi import Powered
    from gatewheel.loop.reports import Kept

Metrics = Mapping[str, Metric]


def shown(engine: Engine, shape: ReportShow, kept: Kept, metrics: Metrics) -> ReportShow:
    """The report with, below each raw figure of a judge, the corrected one where people graded answers."""
    judges = _judges(metrics)
    if not judges:
        return shape
    people = {name: _grades(engine, kept, by) for name, by in judges.items()}

    def marked(rows: Sequence[Measured]) -> Iterator[Measured]:
        for row in rows:
            by = judges.get(row.metric)
            yield row
            if by and people[row.metric]:
                found = by.figure(kept.report, people[row.metric], tag=row.slice)
                if found.labelled:
                    yield _measured(row, found)

    return replace(shape, metrics=list(marked(shape.metrics)), slices=list(marked(shape.slices)))


def compared(engine: Engine, shape: ReportCompare, both: tuple[Kept, Kept], metrics: Metrics) -> ReportCompare:
    """The comparison with, below each raw difference of a judge, which is no finding, the corrected one."""
    judges = _judges(metrics)
    if not judges:
        return shape
    first, second = ({name: _grades(engine, kept, by) for name, by in judges.items()} for kept in both)

    def marked(rows: Sequence[Difference]) -> Iterator[Difference]:
        for row in rows:
            by = judges.get(row.metric)
            yield row
            if by and (made := _difference(row, by, both, (first[row.metric], second[row.metric]), len(rows), shape)):
                yield made

    return replace(shape, metrics=list(marked(shape.metrics)), slices=list(marked(shape.slices)))


def _judges(metrics: Metrics) -> dict[str, Corrector]:
    return {name: Corrector(name=name, judge=one) for name, one in metrics.items() if isinstance(one, Judge)}


def _grades(engine: Engine, kept: Kept, by: Corrector) -> Grades:
    """None where one is off the scale: a gate says whose, and one label must not hide a report from everybody."""
    try:
        return grades(engine, kept.report, by)
    except UserError:
        return {}


def _difference(
    row: Difference,
    by: Corrector,
    both: tuple[Kept, Kept],
    people: tuple[Grades, Grades],
    looks: int,
    shape: ReportCompare,
) -> Difference | None:
    """The corrected row; None where nobody graded both answers to a case. Its p counts all rows of the table."""
    a, b = (kept.report for kept in both)
    found, _ = by.difference(a, b, people, tag=row.slice)
    if not found.labelled:
        return None
    left, _ = aligned(a, b, by.name, tag=row.slice)
    p = min(1.0, found.p * looks) if math.isfinite(found.p) else 1.0
    low, high = by.judge.bounds
    margin = shape.margin * (high - low)
    conclusion = conclude(found.estimate, found.interval, n=found.cases, better=by.judge.better, margin=margin)
    sure = conclusion.word not in ("better", "worse") or p <= 1 - shape.level
    return replace(
        row,
        a=_measured(row.a, by.figure(a, people[0], tag=row.slice)),
        b=_measured(row.b, by.figure(b, people[1], tag=row.slice)),
        difference=found.estimate,
        low=finite(found.interval.low),
        high=finite(found.interval.high),
        p=p,
        test=found.interval.method,
        effect=None,
        wins=None,
        losses=None,
        ties=None,
        cases=found.cases,
        clusters=group(left.clusters, len(left.cases)).count,
        verdict=conclusion.word if sure else "inconclusive",
        cases_needed=conclusion.cases_needed if sure else None,
        judged=CORRECTED,
    )


def _measured(row: Measured, found: Powered) -> Measured:
    return replace(
        row,
        value=finite(found.estimate),
        low=finite(found.interval.low),
        high=finite(found.interval.high),
        cases=found.cases,
        judged=CORRECTED,
    )
