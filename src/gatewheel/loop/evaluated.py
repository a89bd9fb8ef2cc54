"""Reports and comparisons as the outside sees them: the same JSON from the command line and from the service.

What is not a number, or not bounded, is null. A shape may gain keys in a later version; none changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A metric over `cases`, with its interval; `slice` is a tag, "" for all cases. `better` is higher or lower."""

    metric: str
    better: str
    slice: str
    value: float | None
    low: float | None
    high: float | None
    cases: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Which report. `target` is who was asked, such as "app main"; `errors` are rows without an answer or a score."""

    id: str
    created: float
    suite: str
    suite_id: str
    target: str
    variant: str
    corpus: str
    run: str
    cases: int
    errors: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRow:
    """A case in a report, asked the `repeat`-th time: its answer, and for each metric the numbers, null if none."""

    case: str
    repeat: int
    question: str
    expected: list[str]
    answer: str | None
    values: dict[str, list[float] | None]
    tags: list[str]
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportShow:
    """`gatewheel evals show`"""

    report: Head
    metrics: list[Measured]
    slices: list[Measured]
    rows: list[CaseRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A metric in both reports, over the cases that both have, and how b differs from a.

    `p` is two-sided and adjusted by Holm for all rows of its table. `effect` is Cohen's d_z or an odds ratio, as
    `effect_name` says. `verdict` is better, worse, equivalent or inconclusive; of the last `cases_needed` more would
    probably settle it, null where no number would.
    """

    metric: str
    slice: str
    a: Measured
    b: Measured
    difference: float
    low: float | None
    high: float | None
    p: float
    test: str
    effect: float | None
    effect_name: str
    wins: int | None
    losses: int | None
    ties: int | None
    cases: int
    clusters: int
    verdict: str
    cases_needed: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Flipped:
    """A case that one report got right and the other wrong, by one metric, with both answers; null is an error."""

    metric: str
    case: str
    question: str
    expected: list[str]
    a: float
    b: float
    a_answer: str | None
    b_answer: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportCompare:
    """`gatewheel evals compare`: candidate b against incumbent a. `margin` is a share of a metric's range."""

    a: Head
    b: Head
    margin: float
    level: float
    metrics: list[Difference]
    slices: list[Difference]
    flips: list[Flipped]
