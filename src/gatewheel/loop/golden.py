"""Golden sets: answers that people graded, for a judge to be measured on.

They come from two places, and both may be used at once: labels by a rubric (`gatewheel evals label --rubric`) of
answers to the cases of a suite, and cases that bring an answer with its grades in `meta`:

    {"question": "…", "meta": {"response": "the answer", "human": {"helpful": [4, 3]}}}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewheel.data import suites
from gatewheel.evals.judge import Judge
from gatewheel.evals.people import Item
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.loop import labelling
from gatewheel.loop.evaluate import put
from gatewheel.loop.plain_answer import plain_answer
from gatewheel.loop.recipes import digest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.loop.compose import Parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """An answer to a case with what people said of it, by rater. `item` is what the judge knows it by."""

    item: str
    case: Case
    answer: Answer
    people: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Golden:
    """A golden set. Its `id` changes with every grade; `lost` are labels of cases that the suite no longer has."""

    id: str
    suite: str
    criterion: str
    graded: tuple[Graded, ...]
    lost: int


def golden(parts: Parts, judge: Judge, criterion: str) -> Golden:
    """The golden set of a judge. Raises UserError when nobody graded anything, or off the scale."""
    suite = suites.load(parts.config.root, judge.settings.golden)
    found: dict[str, Graded] = {}
    lost = 0
    for case, answer, people in [*_of_cases(suite.cases, criterion), *_of_labels(parts.engine, suite, criterion)]:
        if case is None or answer is None:
            lost += 1
            continue
        item = judge.item(case, answer)
        before = found[item].people if item in found else {}
        found[item] = Graded(item=item, case=case, answer=answer, people={**before, **people})
    for one in found.values():
        refuse_off_scale(judge, one.people, f"case '{one.case.id[:80]}' of {suite.name}", criterion)
    if not found:
        cure = f"gatewheel evals label {suite.name} --a … --rubric {criterion}={scale(judge)} --rater …"
        raise UserError(f"nobody graded an answer of the suite {suite.name} by '{criterion}' yet", cure=cure)
    graded = tuple(found[item] for item in sorted(found))
    said = [[one.item, sorted(one.people.items())] for one in graded]
    return Golden(id=digest(said), suite=suite.name, criterion=criterion, graded=graded, lost=lost)


def refuse_off_scale(judge: Judge, people: Mapping[str, float], whose: str, criterion: str) -> None:
    """Raises UserError for a grade that the judge could not give: it was given on another scale, and means another."""
    low, high = judge.bounds
    for rater, grade in people.items():
        if not low <= grade <= high:
            what = f"{rater} gave {whose} {grade:g} for {criterion}, which is not on the scale {judge.settings.scale}"
            raise UserError(what, cure="set `scale` to it, or have it graded again: `gatewheel evals label … --import`")


def scale(judge: Judge) -> str:
    """The scale of a judge as a rubric for people has it."""
    return "0-1" if judge.settings.scale == "yes/no" else judge.settings.scale


_Found = tuple[Case | None, Answer | None, dict[str, float]]


def _of_cases(cases: tuple[Case, ...], criterion: str) -> Iterator[_Found]:
    for case in cases:
        human, response = case.meta.get("human"), case.meta.get("response")
        if not isinstance(human, Mapping) or criterion not in human or not isinstance(response, str):
            continue
        yield case, plain_answer(response), _grades(case, human[criterion])


def _grades(case: Case, given: Any) -> dict[str, float]:
    """By rater: names where they are told, else places in the list."""
    named = given if isinstance(given, Mapping) else dict(enumerate(given if isinstance(given, list) else [given], 1))
    try:
        made = {f"{name}": float(grade) for name, grade in named.items() if grade is not None}
    except (TypeError, ValueError):
        what = f"case '{case.id[:80]}': meta.human holds {str(given)[:60]!r}, which are no grades"
        raise UserError(what, cure="write a list of numbers") from None
    if not made:
        raise UserError(f"case '{case.id[:80]}': meta.human is empty", cure="write a list of numbers, or remove it")
    return made


def _of_labels(engine: Engine, suite: suites.Suite, criterion: str) -> Iterator[_Found]:
    by_key = {put(case): case for case in suite.cases}
    for item, people in labelled(engine, suite.name, criterion).items():
        yield by_key.get(item.case), labelling.answer(engine, item.case, item.a, repeat=item.repeat), people


def labelled(engine: Engine, suite: str, criterion: str) -> dict[Item, dict[str, float]]:
    """Answers of a suite that people graded by a criterion: the grade of each rater; the later one counts."""
    found: dict[Item, dict[str, float]] = defaultdict(dict)
    for label in labelling.labels(engine, suite):
        if label.item.b is None and criterion in label.scores:
            found[label.item][label.rater] = float(label.scores[criterion])
    return dict(found)
