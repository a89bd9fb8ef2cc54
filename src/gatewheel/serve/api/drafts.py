"""`/api/drafts`: cases drafted from documents that wait for a person, where each stands, and the word on it.

They quote documents and become cases of everybody: all of this is for keys with the scope operate that see every
document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.data import drafts, suites
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller, Case, Span
from gatewheel.loop import accepting
from gatewheel.loop.accepting import Reworded
from gatewheel.loop.drafting import Wanted
from gatewheel.serve.access import may
from gatewheel.serve.api.improve_shapes import WaitingDrafts, waiting
from gatewheel.serve.api.runs import Started
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.whole import whole

router = APIRouter(prefix="/api/drafts", tags=["improve"])
Reader = Annotated[Caller, Depends(whole(may("operate"), "drafts quote documents"))]
Payer = Annotated[Caller, Depends(whole(may("operate", paying=True), "drafts quote documents"))]
At = Annotated[Service, Depends(service)]
Suite = Annotated[Words, Path(description="The suite that they are for.")]
LONGEST = 20_000  # characters of a question or an answer


class Drafting(BaseModel):
    """So many drafts, asked by a `[model.*]`; another seed begins at other passages."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: int = Field(20, ge=1, le=10_000)
    model: Annotated[Words, Field(max_length=200)] = "chat"
    seed: int = Field(0, ge=0, lt=2**31)


class Said(BaseModel):
    """A person's word on a draft; `question` and `reference` are other words for it, empty where they stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    verdict: Literal["accepted", "refused"]
    question: Annotated[Words, Field(max_length=LONGEST)] = ""
    reference: Annotated[Words, Field(max_length=LONGEST)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftView:
    """A draft: its question, the sentence that answers it, and where that stands in the text of a document."""

    id: str
    question: str
    reference: str
    source: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafts:
    """Those that wait. `split` is the side of the suite, empty where there is none yet; `cases` are its own."""

    suite: str
    split: str
    cases: int
    accepted: int
    refused: int
    waiting: list[DraftView]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """`cases` are those of the suite where a case came to it or left it, else null."""

    waiting: int
    cases: int | None


@router.get("", operation_id="list_drafted_suites", responses=refusals())
async def drafted(_: Reader, at: At) -> list[WaitingDrafts]:
    """The suites for which drafts wait, and how many."""
    return await at.quickly(lambda: waiting(at.project.config.root))


@router.get("/{suite}", operation_id="list_drafts", responses=refusals())
async def listed(suite: Suite, _: Reader, at: At) -> Drafts:
    """The drafts for a suite that nobody accepted or refused yet."""
    return await at.quickly(lambda: _listed(at, suite))


@router.post("/{suite}", operation_id="draft_cases", status_code=202, responses=refusals())
async def draft(suite: Suite, what: Drafting, caller: Payer, at: At) -> Started:
    """Draft cases from the documents, as a run in the background."""

    def work() -> Started:
        drafts.path_of(at.project.config.root, suite)
        at.project.config.table("model", what.model)
        wanted = Wanted(suite=suite, count=what.count, model=what.model, seed=what.seed)
        return Started(run=at.background.generate(wanted, payer=caller.key))

    return await at.quickly(work)


@router.post("/{suite}/{draft}", operation_id="judge_draft", responses=refusals(404, 409))
async def judge(suite: Suite, draft: Annotated[Words, Path(min_length=8)], said: Said, _: Reader, at: At) -> Judged:
    """Accept a draft, as it is or in other words, or refuse it. Where it cannot be accepted it waits on."""
    return await at.quickly(lambda: _judged(at, suite, draft, said))


@router.delete("/{suite}/{draft}", operation_id="take_back_draft", responses=refusals(404, 409))
async def take_back(suite: Suite, draft: Annotated[Words, Path(min_length=8)], _: Reader, at: At) -> Judged:
    """As if nothing had been said of a draft: it waits again, and the case that it added leaves the suite."""
    return await at.quickly(lambda: _taken_back(at, suite, draft))


def _listed(at: Service, name: str) -> Drafts:
    root = at.project.config.root
    every = drafts.read(root, name)
    marks = [drafts.mark_of(case) for case in every]
    there = name in suites.names(root)
    suite = suites.load(root, name) if there else None
    return Drafts(
        suite=name,
        split=suite.split if suite else "",
        cases=len(suite.cases) if suite else 0,
        accepted=marks.count("accepted"),
        refused=marks.count("refused"),
        waiting=[_view(case) for case, mark in zip(every, marks, strict=True) if not mark],
    )


def _judged(at: Service, name: str, id_: str, said: Said) -> Judged:
    parts, root = at.project.parts, at.project.config.root
    try:
        found = drafts.find(root, name, [id_])
    except UserError as error:
        raise missing(error) from None
    cases = None
    if said.verdict == "refused":
        accepting.refuse(parts, name, found)
    else:
        words = Reworded(question=said.question.strip(), reference=said.reference.strip())
        try:
            cases = accepting.take(parts, name, found, words=words)
        except UserError as error:  # such as one that is near to the other side of the split
            raise Fault(409, str(error), code="conflict") from None
    return Judged(waiting=len(drafts.waiting(root, name)), cases=cases)


def _taken_back(at: Service, name: str, id_: str) -> Judged:
    root = at.project.config.root
    try:
        found = drafts.marked(root, name, id_)
    except UserError as error:
        raise missing(error) from None
    try:
        cases = accepting.take_back(at.project.parts, name, found)
    except UserError as error:  # it is the last case of a suite that others have added to
        raise Fault(409, str(error), code="conflict") from None
    return Judged(waiting=len(drafts.waiting(root, name)), cases=cases)


def _view(draft: Case) -> DraftView:
    start, end = draft.meta.get("span", (0, 0))
    return DraftView(
        id=draft.id,
        question=draft.question,
        reference=draft.references[0] if draft.references else "",
        source=draft.sources[0] if draft.sources else "",
        span=(start, end),
    )
