"""`/api/evals/labels`: people label answers without knowing whose they are. What it comes to stands in labelled.py.

Nothing here tells who gave an answer. Who may label what stands in sheets.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.people import Criterion
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import desk
from gatewheel.loop.desk import Desk
from gatewheel.serve.api.sheets import Rater, Sheet, Which, desk_of, refuse_told, seal_of
from gatewheel.serve.api.wire import Words, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api/evals/labels", tags=["evals"])
Result = TypeVar("Result")
At = Annotated[Service, Depends(service)]
LONGEST = 2000  # characters of a comment
Token = Annotated[Words, Query(min_length=1, max_length=64, description="Which item of the sheet.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionView:
    """A line of a rubric: whole numbers from `low` to `high`."""

    name: str
    low: int
    high: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What was said: `better` is 1 or 2, as they stand on the screen, 0 for neither, null where `scores` were given."""

    better: int | None
    scores: dict[str, float]
    comment: str
    created: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An item of a sheet, and what its rater said of it."""

    item: str
    given: Given | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetView:
    """What a rater is to label, in their order. `alike` pairs said the same; `hidden` ones the key may not see.

    `seal` belongs into the link for raters: with it they get this sheet and no other. Empty without the scope operate.
    """

    suite: str
    rater: str
    criteria: list[CriterionView]
    labelled: int
    alike: int
    hidden: int
    seal: str
    items: list[Place]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A turn of the conversation before the question."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """Marker [n] of an answer with the words that it leads to."""

    n: int
    source: str
    span: tuple[int, int]
    page: int | None
    quote: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerView:
    """An answer, without whose it is."""

    text: str
    abstained: bool
    citations: list[Cited]


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemView:
    """An item with all that is needed to judge it; `answers` stand in the order of the screen."""

    item: str
    question: str
    expected: list[str]
    history: list[Turn]
    context: str
    choices: list[str]
    evidence: list[str]
    sources: list[str]
    answers: list[AnswerView]
    given: Given | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a rater is on the sheet."""

    labelled: int
    total: int


class Label(BaseModel):
    """What a rater says of an item: `better`, or a score for each criterion of the rubric."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    better: int | None = Field(None, ge=0, le=2, description="1 or 2 as they stand on the screen; 0 is a tie.")
    scores: dict[Words, Annotated[float, Field(allow_inf_nan=False)]] = Field({}, max_length=32)
    comment: Words = Field("", max_length=LONGEST, description="Why.")


@router.get("/sheet", operation_id="get_label_sheet", responses=refusals(404))
async def sheet(which: Sheet, caller: Rater, at: At) -> SheetView:
    """The items of a sheet, and what was said of them."""
    return await _at_desk(at, which, caller, lambda one: _sheet(at, one, seal=seal_of(at, which, caller)))


@router.get("/item", operation_id="get_label_item", responses=refusals(404))
async def item(which: Sheet, item: Token, caller: Rater, at: At) -> ItemView:
    """One item: the question with what came with it, and the answers."""
    return await _at_desk(at, which, caller, lambda one: _shown(at, one, item))


@router.put("/item", operation_id="give_label", responses=refusals(404, 409))
async def give(which: Sheet, item: Token, said: Label, caller: Rater, at: At) -> Progress:
    """Say which answer is better, or grade it. The same again is kept once; something else replaces it.

    A rater who was told whose the answers of the sheet are changes nothing any more.
    """

    def work(one: Desk) -> Progress:
        refuse_told(at, which, caller)
        told = desk.Said(place=said.better, scores=said.scores, comment=said.comment)
        desk.give(at.project.parts, one, _on(one, item), told)
        return _progress(at, one)

    return await _at_desk(at, which, caller, work)


@router.delete("/item", operation_id="take_back_label", responses=refusals(404, 409))
async def take_back(which: Sheet, item: Token, caller: Rater, at: At) -> Progress:
    """As if nothing had been said of an item."""

    def work(one: Desk) -> Progress:
        refuse_told(at, which, caller)
        desk.take_back(at.project.parts, one, _on(one, item))
        return _progress(at, one)

    return await _at_desk(at, which, caller, work)


async def _at_desk(at: Service, which: Which, caller: Caller, work: Callable[[Desk], Result]) -> Result:
    return await at.quickly(lambda: work(desk_of(at, which, caller)))


def _on(one: Desk, token: str) -> str:
    """The token of an item that is on the desk. Raises Fault 404."""
    if token not in one.items:
        raise Fault(404, f"no item '{token}' on this sheet; load it again", code="not_found", param="item")
    return token


def _sheet(at: Service, one: Desk, *, seal: str) -> SheetView:
    found = [Place(item=each.token, given=_given(each)) for each in desk.stands(at.project.parts, one)]
    return SheetView(
        suite=one.sheet.suite,
        rater=one.sheet.rater,
        criteria=[_criterion(each) for each in one.rubric],
        labelled=sum(each.given is not None for each in found),
        alike=one.sheet.alike,
        hidden=one.hidden,
        seal=seal,
        items=found,
    )


def _criterion(one: Criterion) -> CriterionView:
    return CriterionView(name=one.name, low=one.low, high=one.high)


def _given(one: desk.Stand) -> Given | None:
    if not one.created:
        return None
    return Given(better=one.place, scores=dict(one.scores), comment=one.comment, created=one.created)


def _progress(at: Service, one: Desk) -> Progress:
    found = desk.stands(at.project.parts, one)
    return Progress(labelled=sum(bool(each.created) for each in found), total=len(found))


def _shown(at: Service, one: Desk, token: str) -> ItemView:
    parts = at.project.parts
    found = desk.shown(parts, one, _on(one, token))
    stand = next(each for each in desk.stands(parts, one) if each.token == token)
    case = found.case
    about: dict[str, Any] = {"history": [], "context": "", "choices": [], "evidence": [], "sources": []}
    if case:
        about = {
            "history": [Turn(role=turn.role, content=turn.content) for turn in case.history],
            "context": case.context,
            "choices": list(case.choices),
            "evidence": list(case.evidence),
            "sources": list(case.sources),
        }
    return ItemView(
        item=token,
        question=found.question,
        expected=list(found.expected),
        answers=[_answer(each) for each in found.answers],
        given=_given(stand),
        **about,
    )


def _answer(one: desk.Spoken) -> AnswerView:
    cited = [Cited(n=c.n, source=c.source, span=c.span, page=c.page, quote=c.quote) for c in one.citations]
    return AnswerView(text=one.text, abstained=one.abstained, citations=cited)
