"""One metric of a report as rows of numbers: what the statistics read. Repeats of a case are no cases of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.kernel.nouns import Report
from gatewheel.kernel.ports import Metric

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores


@dataclass(frozen=True, slots=True)
class Column:
    """Rows of float64, shape (rows, numbers), with case and cluster of each. An empty cluster is one of its own."""

    rows: Scores
    cases: tuple[str, ...]
    clusters: tuple[str, ...]


def metrics_in(report: Report) -> list[str]:
    """The names of the metrics of a report, in the order of its suite."""
    return list(report.rows[0].values) if report.rows else []


def tags_in(report: Report) -> list[str]:
    """The tags of the cases of a report, the most frequent first."""
    counts = Counter(tag for row in report.rows for tag in row.tags)
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def column(report: Report, metric: str, *, tag: str = "") -> Column:
    """The rows to which the metric applies, of all cases or of those with a tag.

    Of a case that was asked several times there is one row with the mean; where a figure is made of several numbers a
    case, which have no mean, there is a row for each time, and the case is a cluster.
    """
    return _column(_table(report, metric, tag))


def aligned(a: Report, b: Report, metric: str, *, tag: str = "") -> tuple[Column, Column]:
    """The columns of both reports with the same case in the same row; only cases of both take part."""
    left, right = _table(a, metric, tag), _table(b, metric, tag)
    both = [key for key in left if key in right]
    return _column({key: left[key] for key in both}), _column({key: right[key] for key in both})


def cases_with(report: Report, metric: str, *, tag: str = "") -> set[str]:
    """The cases on which a metric has a value."""
    return {case for case, share in _shares(report, metric, tag).items() if share}


def dropped(before: Report, after: Report, metric: str, *, tag: str = "") -> set[str]:
    """The cases of `after` that have no value of it, or of fewer repeats, though one of `before`."""
    had, has = _shares(before, metric, tag), _shares(after, metric, tag)
    return {case for case, share in has.items() if share < had.get(case, 0.0)}


def is_binary(metric: Metric, *columns: Column) -> bool:
    """Whether every case is 1 or 0: right or wrong."""
    alike = all(one.rows.shape[1] == 1 and np.isin(one.rows, (0.0, 1.0)).all() for one in columns)
    return tuple(metric.bounds) == (0.0, 1.0) and alike


def _shares(report: Report, metric: str, tag: str) -> dict[str, float]:
    """case → in which share of its repeats the metric has a value"""
    found: dict[str, list[bool]] = {}
    for row in report.rows:
        if not tag or tag in row.tags:
            found.setdefault(row.case, []).append(row.values.get(metric) is not None)
    return {case: sum(each) / len(each) for case, each in found.items()}


_Table = Mapping[tuple[str, int], tuple[Sequence[float], str]]


def _table(report: Report, metric: str, tag: str) -> _Table:
    """(case, repeat) → (numbers, cluster)"""
    found = [
        (row, numbers)
        for row in report.rows
        if (numbers := row.values.get(metric)) is not None and (not tag or tag in row.tags)
    ]
    if all(len(numbers) == 1 for _, numbers in found):
        every: dict[str, list[float]] = {}
        for row, numbers in found:
            every.setdefault(row.case, []).append(numbers[0])
        clusters = {row.case: row.cluster for row, _ in found}
        return {(case, 0): ([_mean(values)], clusters[case]) for case, values in every.items()}
    repeated = any(row.repeat for row, _ in found)
    return {
        (row.case, row.repeat): (numbers, row.cluster or (f"case {row.case}" if repeated else ""))
        for row, numbers in found
    }


def _mean(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else float(np.mean(values))  # a call of numpy takes 100 times as long


def _column(table: _Table) -> Column:
    rows = np.array([numbers for numbers, _ in table.values()], np.float64)
    return Column(
        rows=rows if len(table) else rows.reshape(0, 1),
        cases=tuple(case for case, _ in table),
        clusters=tuple(cluster for _, cluster in table.values()),
    )
