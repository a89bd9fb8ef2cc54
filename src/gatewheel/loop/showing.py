"""From reports and comparisons to their shapes (evaluated.py), with the answers that were scored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from gatewheel.kernel.nouns import Report
from gatewheel.kernel.numbers import finite
from gatewheel.loop import leaks as leaking
from gatewheel.loop import reports
from gatewheel.loop.columns import tags_in
from gatewheel.loop.comparing import Comparison, Figure, Flip, Metrics, Row, figures
from gatewheel.loop.evaluated import (
    CaseRow,
    Difference,
    Flipped,
    Leaked,
    LeakRow,
    Measured,
    ReportCompare,
    ReportShow,
    WithoutLeaks,
)
from gatewheel.loop.leaks import Leaks
from gatewheel.loop.reports import Kept, head
from gatewheel.loop.without import Without, without

if TYPE_CHECKING:
    from sqlalchemy import Engine


def shown(engine: Engine, kept: Kept, metrics: Metrics, *, leaks: Leaks = leaking.NONE) -> ReportShow:
    """A report with its figures, those of its slices, and its rows; with what leaked into it, also without that."""
    report = kept.report
    tags = tags_in(report)
    return ReportShow(
        report=head(kept),
        metrics=[measured(one) for one in figures(report, metrics)],
        slices=[measured(one, tag) for tag in tags for one in figures(report, metrics, tag=tag) if one.n],
        rows=_rows(engine, kept),
        leaks=leaked(leaks),
        without=without_leaks(report, metrics, leaks.cases),
    )


def measured(figure: Figure, tag: str = "") -> Measured:
    """A figure as numbers."""
    return Measured(
        metric=figure.metric,
        better=figure.better,
        slice=tag,
        value=finite(figure.value),
        low=finite(figure.interval.low) if figure.n else None,
        high=finite(figure.interval.high) if figure.n else None,
        cases=figure.n,
        judged=figure.judged,
    )


def leaked(leaks: Leaks) -> Leaked:
    """What leaked, as it is told."""
    return Leaked(
        cases=len(leaks.cases),
        sources=list(leaks.sources),
        unread=[one.reason for one in leaks.unread],
        vectors=leaks.vectors,
        hits=[LeakRow(**asdict(hit)) for hit in leaks.hits],
    )


def comparison(
    a: Kept, b: Kept, found: Comparison, flips: Sequence[Flipped], *, margin: float, leaks: Leaks = leaking.NONE
) -> ReportCompare:
    """Two reports side by side, with what leaked into them."""
    return ReportCompare(
        a=head(a),
        b=head(b),
        margin=margin,
        level=found.level,
        metrics=[_difference(row) for row in found.rows],
        slices=[_difference(row) for row in found.slices],
        flips=list(flips),
        leaks=leaked(leaks),
        without=[_difference(row) for row in found.without],
    )


def flipped(engine: Engine, a: Kept, b: Kept, metric: str, found: Sequence[Flip]) -> list[Flipped]:
    """Flips with what both said, the first time where a case was asked more than once."""
    return [
        Flipped(
            metric=metric,
            case=flip.case,
            question=a.cases[flip.case].question,
            expected=list(a.cases[flip.case].expected),
            a=flip.a,
            b=flip.b,
            a_answer=_said(engine, a, flip.case),
            b_answer=_said(engine, b, flip.case),
        )
        for flip in found
    ]


def _rows(engine: Engine, kept: Kept) -> list[CaseRow]:
    return [
        CaseRow(
            case=row.case,
            repeat=row.repeat,
            question=kept.cases[row.case].question,
            expected=list(kept.cases[row.case].expected),
            answer=_said(engine, kept, row.case, row.repeat),
            values={name: None if numbers is None else list(numbers) for name, numbers in row.values.items()},
            tags=list(row.tags),
            error=row.error,
        )
        for row in kept.report.rows
    ]


def _said(engine: Engine, kept: Kept, case: str, repeat: int = 0) -> str | None:
    found = reports.answer(engine, kept, case, repeat=repeat)
    return found.answer if found else None


def without_leaks(report: Report, metrics: Metrics, hits: Collection[str]) -> list[WithoutLeaks]:
    """The metrics of a report with and without the cases `hits`; none where nothing was hit."""
    return [_without(one) for one in without(report, metrics, hits)]


def _without(one: Without) -> WithoutLeaks:
    return WithoutLeaks(
        metric=one.every.metric,
        every=measured(one.every),
        rest=measured(one.rest),
        hits=one.hits,
        difference=finite(one.difference),
        low=finite(one.interval.low),
        high=finite(one.interval.high),
    )


def _difference(row: Row) -> Difference:
    paired = row.paired
    return Difference(
        metric=row.a.metric,
        slice=row.slice,
        a=measured(row.a, row.slice),
        b=measured(row.b, row.slice),
        difference=paired.difference,
        low=finite(paired.interval.low),
        high=finite(paired.interval.high),
        p=row.p,
        test=paired.test,
        effect=finite(paired.effect),
        effect_name=paired.effect_name,
        wins=paired.wins,
        losses=paired.losses,
        ties=paired.ties,
        cases=row.a.n,
        clusters=paired.clusters,
        verdict=row.conclusion.word,
        cases_needed=row.conclusion.cases_needed,
        judged=row.b.judged,
    )
