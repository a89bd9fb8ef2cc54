"""A report, or several side by side, with all that a page to hand on tells of them. Asks nobody anything."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import UserError
from gatewheel.loop import beside, leaks, reports, showing, variants
from gatewheel.loop.beside import Beside, CaseBeside, Slices
from gatewheel.loop.columns import metrics_in
from gatewheel.loop.evaluate import metrics_of
from gatewheel.loop.evaluated import Head, Leaked, WithoutLeaks

if TYPE_CHECKING:
    from pathlib import Path

    from gatewheel.kernel.nouns import Variant
    from gatewheel.loop.compose import Parts
    from gatewheel.loop.reports import Kept

CASES = 100  # cases that are told with their answers
ERRORS = 50
_USER = re.compile(r"(?<=://)[^/@\s]*@")  # who is logged in at a URL is nobody else's business


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A case of the report `side`, counted from 0, that has an error."""

    side: int
    case: str
    question: str
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One report: its head, the command that makes it again, its recipe as (key, value), and the text of its prompt."""

    head: Head
    command: str
    recipe: list[tuple[str, str]]
    prompt: str
    repeats: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """All that a page tells. `scores` has for each metric with one number a case the numbers of each report.

    `cases` are those that differ most, or of one report alone those with the lowest scores by `metric`; `total` is how
    many there are of that kind. `apart` is what the recipes of the first two have otherwise, as (key, first, second).
    """

    made: float
    metric: str
    sides: list[Side]
    beside: Beside
    slices: Slices
    scores: dict[str, list[list[float]]]
    cases: list[CaseBeside]
    total: int
    apart: list[tuple[str, str, str]]
    failures: list[Failure]
    failed: int
    leaks: Leaked
    without: list[WithoutLeaks]


def paper(
    parts: Parts,
    kept: Sequence[Kept],
    *,
    metric: str = "",
    margin: float = 0.02,
    cases: int = CASES,
    against: Sequence[Path] = (),
) -> Paper:
    """Of these reports, the first of which the others are compared with; `cases` are told with their answers.

    What leaked into them is looked for in the training data of the project and in the files `against`. Raises UserError
    for reports that cannot be compared, too many of them, or a metric that they have not.
    """
    if len(kept) > beside.MOST:
        raise UserError(f"{len(kept)} reports are more than can be told apart", cure=f"name at most {beside.MOST}")
    beside.refuse_others(kept)
    sliced = beside.slices(parts, kept, metric=metric, margin=margin)
    names = metrics_in(kept[0].report)
    found = _variants(parts, kept)
    worst = _cases(parts, kept, sliced.metric)
    failures = [failure for at, one in enumerate(kept) for failure in _failures(at, one)]
    leaked = leaks.of_reports(parts, kept, against=against)
    return Paper(
        made=time.time(),
        metric=sliced.metric,
        sides=[_side(parts, one, variant) for one, variant in zip(kept, found, strict=True)],
        beside=beside.beside(parts, kept, margin=margin),
        slices=sliced,
        scores={name: scores for name in names if any(scores := [_scores(one, name) for one in kept])},
        cases=beside.told(parts.engine, kept, worst[:cases]),
        total=len(worst),
        apart=_apart(found),
        failures=failures[:ERRORS],
        failed=len(failures),
        leaks=showing.leaked(leaked),
        without=showing.without_leaks(kept[0].report, metrics_of(parts, names), leaked.cases) if leaked.cases else [],
    )


def _variants(parts: Parts, kept: Sequence[Kept]) -> list[Variant | None]:
    made: list[Variant | None] = []
    for one in kept:
        try:
            made.append(variants.get(parts.engine, one.report.variant))
        except UserError:
            made.append(None)  # kept by a project that shares this database no more
    return made


def _side(parts: Parts, kept: Kept, variant: Variant | None) -> Side:
    kind, _, name = kept.target.partition(" ")
    repeats = 1 + max((row.repeat for row in kept.report.rows), default=0)
    command = f"gatewheel evals run {kept.report.suite} --{kind} {name}"
    return Side(
        head=reports.head(kept),
        command=f"{command} --repeat {repeats}" if repeats > 1 else command,
        recipe=[(key, _plain(value)) for key, _, value in variants.difference({}, variant.recipe)] if variant else [],
        prompt=variants.prompt_of(parts.objects, variant) if variant else "",
        repeats=repeats,
    )


def _apart(found: Sequence[Variant | None]) -> list[tuple[str, str, str]]:
    if len(found) < 2 or found[0] is None or found[1] is None:
        return []
    return [(key, _plain(a), _plain(b)) for key, a, b in variants.difference(found[0].recipe, found[1].recipe)]


def _plain(value: Any) -> str:
    return "–" if value is None else _USER.sub("", str(value))


def _scores(kept: Kept, metric: str) -> list[float]:
    """One number a case: the mean of its repeats. Metrics that are made of several numbers have none."""
    every: dict[str, list[float]] = {}
    for row in kept.report.rows:
        numbers = row.values.get(metric)
        if numbers is not None and len(numbers) == 1:
            every.setdefault(row.case, []).append(numbers[0])
    return [sum(values) / len(values) for values in every.values()]


def _cases(parts: Parts, kept: Sequence[Kept], metric: str) -> list[tuple[str, int, float]]:
    if len(kept) > 1:
        return beside.cases(kept, metric=metric, show="differ")
    sign = 1 if metrics_of(parts, [metric])[metric].better == "higher" else -1
    scores = {(row.case, row.repeat): _number(row.values, metric) for row in kept[0].report.rows}
    every = beside.cases(kept, metric=metric)
    return sorted(every, key=lambda one: (scores[one[0], one[1]] is None, sign * (scores[one[0], one[1]] or 0.0)))


def _number(values: Mapping[str, tuple[float, ...] | None], metric: str) -> float | None:
    numbers = values.get(metric)
    return numbers[0] if numbers is not None and len(numbers) == 1 else None


def _failures(at: int, kept: Kept) -> list[Failure]:
    return [
        Failure(side=at, case=row.case, question=kept.cases[row.case].question, error=row.error)
        for row in kept.report.rows
        if row.error
    ]
