"""Reports of one suite side by side: figures of each, differences to the first, and cases with what each one said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Scored
from gatewheel.loop import comparing, reports, showing
from gatewheel.loop.columns import metrics_in, tags_in
from gatewheel.loop.comparing import Metrics
from gatewheel.loop.evaluate import metrics_of
from gatewheel.loop.evaluated import Difference, Head, Measured
from gatewheel.loop.reports import Kept

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.kernel.ports import Metric
    from gatewheel.loop.compose import Parts

Show = Literal["all", "differ", "errors"]
LEVEL = 0.95
MOST = 6  # reports side by side: more colours than that cannot be told apart


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricBeside:
    """A metric in each report, in their order; `differences` are of the others to the first, whose own is null.

    `slice` is a tag, "" for all cases. `bounds` are the least and the greatest value of a case, null where there is no
    bound.
    """

    metric: str
    better: Literal["higher", "lower"]
    bounds: tuple[float | None, float | None]
    slice: str
    figures: list[Measured]
    differences: list[Difference | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Reports side by side. What differs by less than `margin`, a share of a metric's range, does not matter."""

    reports: list[Head]
    metrics: list[MetricBeside]
    margin: float
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Slices:
    """The slices of reports side by side by one metric; `p` is adjusted for all of them."""

    metric: str
    slices: list[MetricBeside]


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What one report has of a case. `answer` is null where there was none; `values` are null where a metric is."""

    answer: str | None
    abstained: bool
    values: dict[str, list[float] | None]
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseBeside:
    """A case, asked the `repeat`-th time, with what each report has of it: null where it was not asked.

    `change` is how far apart the reports are by the chosen metric.
    """

    case: str
    repeat: int
    question: str
    expected: list[str]
    tags: list[str]
    change: float
    given: list[Given | None]


def found(engine: Engine, ids: Sequence[str]) -> list[Kept]:
    """Reports by the beginnings of their ids. Raises UserError for one unknown."""
    return [reports.get(engine, id_) for id_ in ids]


def beside(parts: Parts, kept: Sequence[Kept], *, margin: float = 0.02) -> Beside:
    """Figures and differences of reports over all cases. Raises UserError for reports that cannot be compared."""
    metrics = metrics_of(parts, metrics_in(kept[0].report))
    whole = [_untagged(one) for one in kept]  # slices take most of the time, and nobody looks at those of all metrics
    return Beside(
        reports=[reports.head(one) for one in kept],
        metrics=_metrics(kept, metrics, _differences(whole, metrics, margin), ""),
        margin=margin,
        level=LEVEL,
    )


def slices(parts: Parts, kept: Sequence[Kept], *, metric: str = "", margin: float = 0.02) -> Slices:
    """The same slice by slice by one metric, the first if it is empty. Raises UserError as `beside`, and for a metric
    that the reports have not.
    """
    refuse_others(kept)
    report = kept[0].report
    names = comparing.picked(report, [metric] if metric else ())[:1]
    tags = [tag for tag in tags_in(report) if sum(tag in row.tags for row in report.rows) < len(report.rows)]
    metrics = metrics_of(parts, names)
    differences = _differences(kept, metrics, margin) if tags else []
    return Slices(
        metric=names[0] if names else "",
        slices=[row for tag in tags for row in _metrics(kept, metrics, differences, tag)],
    )


def cases(kept: Sequence[Kept], *, metric: str = "", tag: str = "", show: Show = "all") -> list[tuple[str, int, float]]:
    """(case, repeat, change) of those that are wanted, in the order of the suite; those that differ most change first.

    Raises UserError for reports of different suites, and for a metric that they have not.
    """
    refuse_others(kept)
    name = (comparing.picked(kept[0].report, [metric] if metric else ()) or [""])[0]
    tables = [_table(one) for one in kept]
    wanted = []
    for key, row in {key: row for table in reversed(tables) for key, row in table.items()}.items():
        given = [table.get(key) for table in tables]
        change = _change([one.values.get(name) for one in given if one])
        failed = any(one is not None and one.error for one in given)
        if (not tag or tag in row.tags) and (show != "differ" or change) and (show != "errors" or failed):
            wanted.append((*key, change))
    return sorted(wanted, key=lambda one: -one[2]) if show == "differ" else wanted


def told(engine: Engine, kept: Sequence[Kept], wanted: Sequence[tuple[str, int, float]]) -> list[CaseBeside]:
    """These cases with what was said, read from the store: as many queries as there are answers."""
    tables = [_table(one) for one in kept]
    made = []
    for case, repeat, change in wanted:
        given = [_given(engine, one, table.get((case, repeat))) for one, table in zip(kept, tables, strict=True)]
        holder = next(at for at, one in enumerate(given) if one)
        asked, row = kept[holder].cases[case], tables[holder][case, repeat]
        made.append(
            CaseBeside(
                case=case,
                repeat=repeat,
                question=asked.question,
                expected=list(asked.expected),
                tags=list(row.tags),
                change=change,
                given=given,
            )
        )
    return made


def refuse_others(kept: Sequence[Kept]) -> None:
    """Raises UserError when reports are of different suites, or of different states of one."""
    for one in kept[1:]:
        if one.report.suite_id != kept[0].report.suite_id:
            what = f"{kept[0].report.id[:12]} and {one.report.id[:12]} are of different suites, or states of one"
            raise UserError(what, cure=f"run `gatewheel evals run {one.report.suite}` for both")


def _untagged(kept: Kept) -> Kept:
    return replace(kept, report=replace(kept.report, rows=tuple(replace(row, tags=()) for row in kept.report.rows)))


def _differences(kept: Sequence[Kept], metrics: Metrics, margin: float) -> list[dict[tuple[str, str], Difference]]:
    """(slice, metric) → how each report but the first differs from the first."""
    first, made = kept[0], []
    for other in kept[1:]:
        pair = comparing.compared(first, other, metrics, margin=margin, level=LEVEL)
        shape = showing.comparison(first, other, pair, (), margin=margin)
        made.append({(one.slice, one.metric): one for one in [*shape.metrics, *shape.slices]})
    return made


def _metrics(
    kept: Sequence[Kept], metrics: Metrics, differences: Sequence[Mapping[tuple[str, str], Difference]], tag: str
) -> list[MetricBeside]:
    columns = [{one.metric: one for one in comparing.figures(each.report, metrics, tag=tag)} for each in kept]
    return [
        MetricBeside(
            metric=name,
            better=metric.better,
            bounds=bounds(metric),
            slice=tag,
            figures=[showing.measured(column[name], tag) for column in columns],
            differences=[None, *(found.get((tag, name)) for found in differences)],
        )
        for name, metric in metrics.items()
        if any(column[name].n for column in columns) or not tag
    ]


def bounds(metric: Metric) -> tuple[float | None, float | None]:
    """The least and the greatest value of a case, None where there is no bound."""
    low, high = (float(end) if math.isfinite(end) else None for end in metric.bounds)
    return low, high


def _table(kept: Kept) -> dict[tuple[str, int], Scored]:
    return {(row.case, row.repeat): row for row in kept.report.rows}


def _change(values: Sequence[tuple[float, ...] | None]) -> float:
    numbers = [one for one in values if one is not None]
    if len(values) < 2 or not numbers:
        return 0.0
    if len(numbers) < len(values) or any(len(one) != 1 for one in numbers):
        return float(len(set(values)) > 1)
    return max(one[0] for one in numbers) - min(one[0] for one in numbers)


def _given(engine: Engine, kept: Kept, row: Scored | None) -> Given | None:
    if row is None:
        return None
    said = reports.answer(engine, kept, row.case, repeat=row.repeat)
    return Given(
        answer=said.answer if said else None,
        abstained=bool(said and said.abstained),
        values={name: None if numbers is None else list(numbers) for name, numbers in row.values.items()},
        error=row.error,
    )
