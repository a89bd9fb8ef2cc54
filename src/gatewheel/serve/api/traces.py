"""`/api/traces`: what was asked, how it was answered, and where the time went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller, Trace
from gatewheel.loop import listen
from gatewheel.ops import feedback
from gatewheel.serve.access import may
from gatewheel.serve.api.feedback import FeedbackView, view
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["traces"])
MOST_FEEDBACK = 1000  # of one trace
Time = Annotated[float, Query(ge=0, le=1e12, allow_inf_nan=False, description="POSIX seconds.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceRow:
    """A question in a list. `cost` is in US dollars; `feedback` counts all that was said.

    `thumb` is down when the newest one of any author is, else up; null without any.
    """

    id: str
    created: float
    kind: str
    question: str
    answer: str
    abstained: bool
    variant: str
    model: str
    seconds: float
    input_tokens: int
    output_tokens: int
    cost: float | None
    key: str
    app: str
    error: str
    thumb: Literal["up", "down"] | None
    feedback: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceList:
    """Traces, the newest first; `next` is the `before` of the page that follows."""

    traces: list[TraceRow]
    next: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanView:
    """A step; `start` and `seconds` count from the question."""

    name: str
    start: float
    seconds: float
    attributes: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceView:
    """A question with its steps and what was said of it."""

    id: str
    created: float
    kind: str
    question: str
    answer: str
    abstained: bool
    variant: str
    model: str
    seconds: float
    input_tokens: int
    output_tokens: int
    cost: float | None
    key: str
    app: str
    error: str
    thumb: Literal["up", "down"] | None
    spans: list[SpanView]
    feedback: list[FeedbackView]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which traces, and how many of them."""

    q: Annotated[Words, Query(description="Sought in question and answer.")] = ""
    kind: Annotated[Literal["", "ask", "chat", "completion"], Query()] = ""
    abstained: Annotated[bool | None, Query()] = None
    thumb: Annotated[
        Literal["", "up", "down"], Query(description="Down when the newest thumb of any author is down.")
    ] = ""
    since: Time = 0.0
    variant: Annotated[Words, Query(description="The beginning of a variant's id.")] = ""
    limit: Annotated[int, Query(ge=1, le=1000)] = 50
    before: Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False, description="POSIX seconds.")] = None


@router.get("/traces", operation_id="list_traces", responses=refusals())
async def listed(
    wanted: Annotated[Wanted, Depends()],
    caller: Annotated[Caller, Depends(may("operate"))],
    at: Annotated[Service, Depends(service)],
) -> TraceList:
    """The newest traces first that have all that is asked for."""
    return await at.quickly(lambda: _list(at, wanted, caller))


@router.get("/traces/{id}", operation_id="get_trace", responses=refusals(404))
async def show(
    id: Annotated[Words, Path(description="A trace, by its id or an unmistakable beginning of it.")],  # noqa: A002
    caller: Annotated[Caller, Depends(may("operate"))],
    at: Annotated[Service, Depends(service)],
) -> TraceView:
    """One question as steps, with its feedback."""
    return await at.quickly(lambda: _show(at, id, caller))


def _list(at: Service, wanted: Wanted, caller: Caller) -> TraceList:
    engine = at.project.parts.engine
    found = trace.search(
        engine,
        text=wanted.q,
        kind=wanted.kind,
        abstained=wanted.abstained,
        thumb=wanted.thumb,
        since=wanted.since,
        variant=wanted.variant,
        keys=listen.askers(at.project.parts, caller),
        limit=wanted.limit,
        before=wanted.before,
    )
    said = feedback.of_traces(engine, [one.id for one in found])
    none = feedback.Said(thumb=None, count=0)
    rows = [_row(one, said.get(one.id, none)) for one in found]
    return TraceList(traces=rows, next=found[-1].created if len(found) >= wanted.limit else None)


def _row(one: Trace, said: feedback.Said) -> TraceRow:
    return TraceRow(**_shared(one), thumb=said.thumb, feedback=said.count)


def _show(at: Service, id_: str, caller: Caller) -> TraceView:
    try:
        one = listen.find(at.project.parts, id_, caller=caller)
    except UserError as error:
        raise missing(error) from None
    engine = at.project.parts.engine
    said = feedback.recent(engine, trace=one.id, limit=MOST_FEEDBACK)
    come_to = feedback.of_traces(engine, [one.id]).get(one.id)
    return TraceView(
        **_shared(one),
        thumb=come_to.thumb if come_to else None,
        spans=[
            SpanView(name=s.name, start=s.start, seconds=s.seconds, attributes=dict(s.attributes)) for s in one.spans
        ],
        feedback=[view(each) for each in said],
    )


def _shared(one: Trace) -> dict[str, Any]:
    return {name: getattr(one, name) for name in TraceRow.__dataclass_fields__ if name not in ("thumb", "feedback")}
