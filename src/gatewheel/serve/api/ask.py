"""`/api/ask`, `/api/search` and `/api/apps`: an answer with its citations, whole or as it grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gatewheel.kernel.errors import ModelError, PromptTooLong, UserError
from gatewheel.kernel.nouns import Answer, Caller, Message
from gatewheel.loop import shapes
from gatewheel.loop.project import Project
from gatewheel.rag.answer import Listener
from gatewheel.rag.output import Checked
from gatewheel.rag.question import Question, clean
from gatewheel.serve import events, fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.service import Service, service
from gatewheel.serve.speaking import Say

router = APIRouter(prefix="/api", tags=["ask"])
TURNS = 200  # of a conversation; retrieval looks back at four


class Turn(BaseModel):
    """Something that was said before."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Literal["user", "assistant"]
    content: Words


class Asked(BaseModel):
    """A question. `schema` is a JSON Schema that the answer must follow; the answer is then JSON text."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: Words = Field(description="At most 8,000 characters.")
    app: Words = Field("main", description="Which `[app.*]` answers.")
    where: Words = Field("", description='Metadata filter, such as "path~=guide/ and lang=en".')
    history: tuple[Turn, ...] = Field((), max_length=TURNS, description="Earlier turns, oldest first.")
    stream: bool = Field(False, description="Server-sent events instead of one JSON document.")
    form: dict[str, Any] | None = Field(None, alias="schema", description="JSON Schema of the answer.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AppRow:
    """An application: the variant that answers now, its model, and how it answers."""

    name: str
    variant: str
    model: str
    mode: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Apps:
    """Every `[app.*]`."""

    apps: list[AppRow]


@router.get("/search", operation_id="search", responses=refusals())
async def search(
    caller: Annotated[Caller, Depends(may("ask"))],
    at: Annotated[Service, Depends(service)],
    q: Annotated[Words, Query(description="What is sought, in words.")],
    k: Annotated[int, Query(ge=1, le=1000, description="How many passages.")] = 10,
    where: Annotated[Words, Query(description="Metadata filter.")] = "",
) -> shapes.Search:
    """The passages nearest to a question, best first."""
    hits = await at.quickly(lambda: at.project.seen_by(caller).search(q, k=k, where=where))
    return shapes.Search(passages=[shapes.found(hit) for hit in hits])


@router.get("/apps", operation_id="list_apps", responses=refusals())
async def apps(_: Annotated[Caller, Depends(may("ask"))], at: Annotated[Service, Depends(service)]) -> Apps:
    """The applications that can be asked."""
    return await at.quickly(lambda: Apps(apps=[_row(at.project, name) for name in at.project.config.names("app")]))


@router.post(
    "/ask",
    operation_id="ask",
    response_model=shapes.Ask,
    responses={200: {"content": events.DECLARED}, **refusals(404, 502, 503)},
)
async def ask(
    asked: Asked,
    request: Request,
    caller: Annotated[Caller, Depends(may("ask"))],
    at: Annotated[Service, Depends(service)],
) -> Response | shapes.Ask:
    """An answer from the documents with citations, or an abstention.

    With `stream` the events are `passages`, then `text` and `sentence` as the answer grows, then `answer`, which is
    what this returns without `stream`; or `error`.
    """
    project = at.project.seen_by(caller)
    question = await at.quickly(lambda: _checked(project, asked))
    call = partial(_answer, at, project, question, asked.app)
    if not asked.stream:
        return shapes.asked(await flow.outcome(at, request, call))
    started = await flow.stream(at, request, call)

    async def told() -> AsyncIterator[bytes]:
        async for name, content in started:
            yield flow.data(content, event=name)
        yield flow.data(asdict(shapes.asked(await started.result())), event="answer")

    whole = flow.guarded(told(), failure=lambda error: flow.data(flow.error_body(error), event="error"))
    return flow.EventStream(whole, source=started)


def _row(project: Project, name: str) -> AppRow:
    with project.answering(name) as parts:
        settings: Any = parts.config.table("app", name).settings
        return AppRow(
            name=name, variant=parts.variant(name).id, model=settings.model, mode=getattr(settings, "mode", "")
        )


def _checked(project: Project, asked: Asked) -> Question:
    """The question, once all is known to be right that can be known before a model is asked."""
    from gatewheel.embeddings.where import parse
    from gatewheel.models.schema import check_schema

    if ("app", asked.app) not in project.config.tables:
        try:
            project.config.table("app", asked.app)
        except UserError as error:
            raise missing(error) from None
    clean(asked.question)
    if asked.where.strip():
        parse(asked.where)
    if asked.form is not None:
        try:
            check_schema(asked.form)
        except UserError as error:
            raise fault.Fault(400, str(error), code="invalid_schema", param="schema") from None
    history = tuple(Message(role=turn.role, content=turn.content) for turn in asked.history)
    return Question(text=asked.question, history=history, where=asked.where, schema=asked.form)


def _answer(at: Service, project: Project, question: Question, app: str, say: Say) -> Answer:
    """Runs in a thread to its end, also when the client has left; so what it took is accounted for here."""

    def hits(found: Any) -> None:
        say(("passages", {"passages": [asdict(shapes.found(hit)) for hit in found]}))

    def sentence(checked: Checked) -> None:
        of = checked.sentence
        judged = shapes.Judged(text=of.text, supported=of.supported, support=round(of.support, 4), citation=of.citation)
        say(("sentence", asdict(judged)))

    listener = Listener(
        on_hits=hits, on_text=lambda piece: say(("text", {"text": piece}) if piece else None), on_sentence=sentence
    )
    try:
        answer = project.ask(question, app=app, listener=listener)
    except ModelError as error:
        # what an endpoint did wrong has its error as the cause; without one, this model could not follow the schema
        if question.schema is None or error.__cause__ is not None or isinstance(error, PromptTooLong):
            raise
        raise fault.Fault(400, str(error), code="model_error", param="schema") from error
    flow.account(at, lambda: at.account(project.caller, app, answer.usage, abstained=answer.abstained))
    return answer
