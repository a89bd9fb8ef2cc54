"""A rater's desk: a sheet item by item, with all that one needs to judge an answer and nothing that tells whose it is.

Who may not see every document is shown an item only where nobody need wonder: its case names the sources that hold the
answer, and these, and all that either answer was made from or cites, are documents that this caller may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from gatewheel.data import suites
from gatewheel.embeddings import grants
from gatewheel.evals import people
from gatewheel.evals.people import Blind, Criterion, Item, Label
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case, Citation
from gatewheel.kernel.store.schema import documents
from gatewheel.loop import labelling
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import put
from gatewheel.loop.labelling import Sheet
from gatewheel.loop.reports import Asked, Kept
from gatewheel.ops.keys import EVERY


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A sheet by the tokens of its items, in the rater's order. `hidden` items are of documents out of sight.

    `cases` are those of the suite, by what was put, as far as it still has them.
    """

    sheet: Sheet
    rubric: tuple[Criterion, ...]
    items: Mapping[str, Blind]
    asked: Mapping[str, Asked]
    cases: Mapping[str, Case]
    hidden: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """How an item stands with its rater. `place` is what was said to be better: 1, 2, 0 for a tie, None for nothing.

    `created` is when it was said; 0 where nothing was.
    """

    token: str
    place: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    comment: str = ""
    created: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken:
    """An answer as a rater reads it."""

    text: str
    abstained: bool
    citations: tuple[Citation, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An item on the desk, its answers in the order of the screen. `case` is None where the suite no longer has it."""

    question: str
    expected: tuple[str, ...]
    case: Case | None
    answers: tuple[Spoken, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a rater says of an item: a `place` on the screen as in Stand, or a score for each criterion."""

    place: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    comment: str = ""


def lay(
    parts: Parts,
    rater: str,
    kept: Sequence[Kept],
    *,
    rubric: Sequence[Criterion] = (),
    repeats: bool = False,
    groups: frozenset[str] | None = None,
) -> Desk:
    """The desk of a rater before these reports; `groups` are those whose documents may be seen, None all.

    Raises UserError as `labelling.sheet_of`, and when nothing is left that may be seen.
    """
    sheet = labelling.sheet_of(parts.engine, rater, kept, criteria=[one.name for one in rubric], repeats=repeats)
    cases = _cases(parts, sheet.suite)
    items = sheet.items
    if groups is not None:
        seen = _seen(parts, groups)
        items = tuple(blind for blind in items if _in_sight(parts, blind.item, cases.get(blind.item.case), seen))
        if not items:
            what = "there is nothing to label that this key may see"
            raise UserError(what, cure=f"use a key with the group '{EVERY}', or name `sources` in the cases")
    return Desk(
        sheet=replace(sheet, items=items),
        rubric=tuple(rubric),
        items={people.token(sheet.suite, blind.item): blind for blind in items},
        asked={asked.key: asked for one in reversed(kept) for asked in one.cases.values()},
        cases=cases,
        hidden=len(sheet.items) - len(items),
    )


def written(parts: Parts, suite: str) -> tuple[tuple[int, int], ...]:
    """Time and size of the files of a suite, which are others when it was written anew; none where it has none."""
    root = parts.config.root
    try:
        path = suites.path_of(root, suite)
        files = (path, suites.cases_path(root, path, suites.settings_of(root, suite)))
        return tuple((found.st_mtime_ns, found.st_size) for found in (each.stat() for each in files))
    except (OSError, UserError):
        return ()


def stands(parts: Parts, desk: Desk) -> list[Stand]:
    """Every item with what its rater said, in their order."""
    wanted = frozenset(desk.sheet.criteria)
    given = labelling.labels(parts.engine, desk.sheet.suite, rater=desk.sheet.rater)
    said = {label.item: label for label in given if frozenset(label.scores) == wanted}
    return [_stand(token, blind, said.get(blind.item)) for token, blind in desk.items.items()]


def shown(parts: Parts, desk: Desk, token: str) -> Shown:
    """What an item is. Raises UserError for one that is not on the desk."""
    blind = _item(desk, token)
    asked = desk.asked[blind.item.case]
    found = [labelling.answer(parts.engine, blind.item.case, side, repeat=blind.item.repeat) for side in blind.sides]
    return Shown(
        question=asked.question,
        expected=asked.expected,
        case=desk.cases.get(blind.item.case),
        answers=tuple(_spoken(one) for one in found if one),
    )


def give(parts: Parts, desk: Desk, token: str, said: Said) -> None:
    """Keep what was said of an item; the same again is kept once, something else replaces it. Raises UserError."""
    blind = _item(desk, token)
    label = Label(item=blind.item, rater=desk.sheet.rater, comment=said.comment.strip())
    if desk.rubric:
        label = replace(label, scores=_scores(desk.rubric, said))
    elif said.place not in (0, 1, 2) or said.scores:
        raise UserError(f"better is {said.place}", cure="say 1 or 2, whichever is better, or 0 for neither")
    else:
        label = replace(label, better=blind.better(said.place))
    labelling.give(parts.engine, desk.sheet.suite, label)


def take_back(parts: Parts, desk: Desk, token: str) -> None:
    """As if nothing had been said of an item. Raises UserError for one that is not on the desk."""
    item = _item(desk, token).item
    scores = dict.fromkeys(desk.sheet.criteria, 0.0)
    given = Label(item=item, rater=desk.sheet.rater, scores=scores)
    labelling.take_back(parts.engine, people.identity(desk.sheet.suite, given))


def _item(desk: Desk, token: str) -> Blind:
    found = desk.items.get(token)
    if found is None:
        raise UserError(f"no item '{token[:80]}' on this sheet", cure="load the sheet again")
    return found


def _scores(rubric: Sequence[Criterion], said: Said) -> dict[str, float]:
    wanted = {one.name: one for one in rubric}
    if said.place is not None or said.scores.keys() != wanted.keys():
        raise UserError("the scores are not those of the rubric", cure=f"give one each of {', '.join(wanted)}")
    for name, score in said.scores.items():
        if not (wanted[name].low <= score <= wanted[name].high) or score != int(score):
            what = f"{name} is {score:g}"
            raise UserError(what, cure=f"give a whole number from {wanted[name].low} to {wanted[name].high}")
    return dict(said.scores)


def _stand(token: str, blind: Blind, label: Label | None) -> Stand:
    if label is None:
        return Stand(token=token)
    place = blind.place(label.better) if label.better else None
    return Stand(token=token, place=place, scores=label.scores, comment=label.comment, created=label.created)


def _spoken(answer: Answer) -> Spoken:
    return Spoken(text=answer.answer, abstained=answer.abstained, citations=answer.citations)


def _cases(parts: Parts, suite: str) -> dict[str, Case]:
    try:
        return {put(case): case for case in suites.load(parts.config.root, suite).cases}
    except UserError:
        return {}  # what was answered can be labelled also when its suite is gone or broken


def _seen(parts: Parts, groups: frozenset[str]) -> set[str]:
    parts.passages(groups)  # by now the documents are granted as [access] says
    visible = grants.visible(groups)
    assert visible is not None
    with parts.engine.connect() as connection:
        return set(connection.execute(select(documents.c.source).where(visible)).scalars())


def _in_sight(parts: Parts, item: Item, case: Case | None, seen: set[str]) -> bool:
    if case is None or not case.sources:
        return False
    sources = set(case.sources)
    for side in filter(None, (item.a, item.b)):
        if answer := labelling.answer(parts.engine, item.case, side, repeat=item.repeat):
            sources |= {hit.passage.source for hit in answer.passages} | {one.source for one in answer.citations}
    return sources <= seen
