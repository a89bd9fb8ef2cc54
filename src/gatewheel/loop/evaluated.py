"""Reports and comparisons as the outside sees them: the same JSON from the command line and from the service.

What is not a number, or not bounded, is null. A shape may gain keys in a later version; none changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A metric over `cases`, with its interval; `slice` is a tag, "" for all cases. `better` is higher or lower.

    `judged` is raw for what a judge said, corrected for the same by people's grades, empty where no judge is involved.
    """

    metric: str
    better: str
    slice: str
    value: float | None
    low: float | None
    high: float | None
    cases: int
    judged: str = ""


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
class LeakRow:
    """A case and the one of `source` that it has most in common with by this `kind`: run, words or vector."""

    case: str
    question: str
    other: str
    other_question: str
    source: str
    kind: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaked:
    """What of the cases stands in the training data too: so many `cases`, and for each the closest of each kind.

    `sources` were looked through, `unread` could not be and say why; `vectors` tells whether vectors were compared as
    well as words.
    """

    cases: int
    sources: list[str]
    unread: list[str]
    vectors: bool
    hits: list[LeakRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class WithoutLeaks:
    """A metric over all cases and over the `rest`, to which nothing leaked; `hits` are cases that it applies to.

    `difference` is all minus rest: by how much the hits raise the figure.
    """

    metric: str
    every: Measured
    rest: Measured
    hits: int
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportShow:
    """`gatewheel evals show`. `without` is empty where nothing leaked."""

    report: Head
    metrics: list[Measured]
    slices: list[Measured]
    rows: list[CaseRow]
    leaks: Leaked
    without: list[WithoutLeaks]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A metric in both reports, over the cases that both have, and how b differs from a.

    `p` is two-sided and adjusted by Holm for all rows of its table. `effect` is Cohen's d_z or an odds ratio, as
    `effect_name` says. `verdict` is better, worse, equivalent or inconclusive; of the last `cases_needed` more would
    probably settle it, null where no number would. What a judge said raw is no finding: see `judged` of Measured.
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
    judged: str = ""


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
    """`gatewheel evals compare`: candidate b against incumbent a. `margin` is a share of a metric's range.

    `without` are the metrics over the cases to which nothing leaked; empty where nothing did.
    """

    a: Head
    b: Head
    margin: float
    level: float
    metrics: list[Difference]
    slices: list[Difference]
    flips: list[Flipped]
    leaks: Leaked
    without: list[Difference]
