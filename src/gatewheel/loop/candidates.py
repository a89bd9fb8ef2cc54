"""Candidates of a suite as the outside sees them: the same JSON from the command line and from the service.

What is not measured is null, and `missing` says by which command to get it. A shape may gain keys in a later version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gatewheel.loop.evaluated import Measured

Cost = Literal["price", "seconds", "memory", "size"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """How far a candidate is from the best figure, over the cases that both have, and how sure that is.

    `p` is adjusted (Holm) for all candidates; `verdict` is better, worse, equivalent or inconclusive.
    """

    to: int
    difference: float
    low: float | None
    high: float | None
    p: float
    verdict: str
    cases: int
    cases_needed: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Seconds of the answers of a report, as they were asked: several at once where that was so.

    `seconds` is the mean of whole answers with its interval. Tokens a second are those of writing, the median answer.
    First tokens and tokens a second are null where no model wrote.
    """

    answers: int
    seconds: float
    seconds_low: float | None
    seconds_high: float | None
    seconds_median: float
    seconds_p95: float
    first_median: float | None
    first_p95: float | None
    tokens_per_second: float | None
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The licence of a model and what it allows: yes, conditions, no or unknown. `stated` is who says that it is this.

    `source` is where the text of the licence stands.
    """

    licence: str
    title: str
    commercial: str
    redistribution: str
    derived: str
    told: str
    source: str
    stated: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One who was asked. `number` is its place in the table, `name` its own in it, `target` whom the suite asked.

    `current` says that gatewheel.toml makes this very variant today. `model` is its [model.*], empty where the file has
    none like it. Memory and size are in bytes, `price` is in US dollars per 1,000 answers. `front` says that no other
    surely beats it on quality and cost, null where one of them is not known; `beaten_by` are the numbers of who do.
    `cases` are those of its report: with fewer than the largest it stands last and is on no front.
    """

    number: int
    name: str
    target: str
    variant: str
    report: str
    created: float
    current: bool
    cases: int
    model: str
    title: str
    engine: str
    context_length: int | None
    quality: Measured
    gap: Gap | None
    speed: Speed | None
    memory: int | None
    size: int | None
    price: float | None
    terms: Terms | None
    front: bool | None
    beaten_by: list[int]
    missing: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """An application or model of the project without a report, and the command that makes one. `why` may be empty."""

    name: str
    command: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """`gatewheel evals models`: candidates of a suite, the best figure first; `cases` are those of the largest report.

    What differs by less than `margin`, a share of the metric's range, counts as equal on the front. `bounds` are those
    of the metric, null where there is none. `notes` say what to mind about this very table.
    """

    suite: str
    suite_id: str
    metrics: list[str]
    metric: str
    better: Literal["higher", "lower"]
    bounds: tuple[float | None, float | None]
    cost: Cost
    margin: float
    level: float
    cases: int
    candidates: list[Candidate]
    waiting: list[Waiting]
    notes: list[str]


def lacking(made: Sequence[Candidate]) -> list[str]:
    """What is missing: each reason once, with the numbers of those that it is true of."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in made:
        for what, why in one.missing.items():
            reasons.setdefault((what, why), []).append(str(one.number))
    return [f"{what} of {', '.join(numbers)}: {why}" for (what, why), numbers in reasons.items()]
