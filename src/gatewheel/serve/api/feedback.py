"""`/api/feedback`: what people say of answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel import nouns
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import listen
from gatewheel.loop.project import Project
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["feedback"])


class Given(BaseModel):
    """What is said of the answer of a trace. At least one thing besides the trace."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    trace: Words = Field(description="Its whole id, as it came with the answer.")
    thumb: Literal["up", "down"] | None = None
    score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    comment: Words = Field("", max_length=listen.LONGEST)
    correction: Words = Field("", max_length=listen.LONGEST, description="What the answer should have been.")
    wrong_citations: tuple[Annotated[int, Field(ge=1, le=9999)], ...] = Field(
        (), max_length=1000, description="Markers [n] of the answer that do not support it."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackView:
    """What was said. `id` is the same whenever the same is said; `author` is a key's id, empty for the owner."""

    id: str
    trace: str
    created: float
    author: str
    thumb: Literal["up", "down"] | None
    score: float | None
    comment: str
    correction: str
    wrong_citations: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackList:
    """Feedback, the newest first."""

    feedback: list[FeedbackView]


@router.post(
    "/feedback",
    operation_id="give_feedback",
    status_code=201,
    responses={200: {"model": FeedbackView, "description": "It was said before."}, **refusals(404)},
)
async def give(
    given: Given,
    response: Response,
    caller: Annotated[Caller, Depends(may("feedback"))],
    at: Annotated[Service, Depends(service)],
) -> FeedbackView:
    """Say what you think of an answer; without the scope `operate`, of one that this key asked for.

    Saying the same twice is saying it once.
    """
    kept, new = await at.quickly(lambda: _keep(at.project, given, caller))
    if new:
        at.metrics.said(kept)
    else:
        response.status_code = 200
    return view(kept)


@router.get("/feedback", operation_id="list_feedback", responses=refusals())
async def listed(
    caller: Annotated[Caller, Depends(may("operate"))],
    at: Annotated[Service, Depends(service)],
    trace: Annotated[Words, Query(description="Only of this trace.")] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> FeedbackList:
    """The newest feedback first."""
    project = at.project.seen_by(caller)
    found = await at.quickly(lambda: project.feedback(trace=trace, limit=limit))
    return FeedbackList(feedback=[view(one) for one in found])


def view(said: nouns.Feedback) -> FeedbackView:
    """Feedback as the outside sees it."""
    values: dict[str, Any] = {name: getattr(said, name) for name in FeedbackView.__dataclass_fields__}
    return FeedbackView(**{**values, "wrong_citations": list(said.wrong_citations)})


def _keep(project: Project, given: Given, caller: Caller) -> tuple[nouns.Feedback, bool]:
    try:
        about = listen.whole(project.parts, given.trace, caller=caller)
    except UserError as error:
        raise missing(error) from None
    said = given.model_dump(exclude={"trace"})
    return listen.give_once(project.parts, about.id, caller=caller, **said)
