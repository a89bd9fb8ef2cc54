"""POST, GET and DELETE /v1/responses"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller, Message
from gatewheel.serve import events, fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import remembered, tuned
from gatewheel.serve.v1.asking import Then, ask, asking
from gatewheel.serve.v1.remembered import Remembered
from gatewheel.serve.v1.responses_events import told
from gatewheel.serve.v1.responses_reply import Draft, conversation, finished, spoken
from gatewheel.serve.v1.responses_request import ResponsesRequest, turns, wishes
from gatewheel.serve.v1.responses_shapes import DeletedShape, ResponseShape
from gatewheel.serve.v1.wishes import plan
from gatewheel.serve.v1.writing import Written

router = APIRouter()
At = Annotated[Service, Depends(service)]
Asker = Annotated[Caller, Depends(may("ask"))]


@router.post(
    "/responses",
    operation_id="createResponse",
    summary="Answer, and remember the answer for the next turn",
    responses={200: {"model": ResponseShape, "description": "The answer", "content": events.DECLARED}, **fault.ERRORS},
)
async def create(body: ResponsesRequest, request: Request, at: At, caller: Asker) -> Response:
    """OpenAI's responses. Without `store` and `previous_response_id` nothing is kept between two requests."""
    config, named = await tuned.writer(at, caller, body.model)
    before = await _before(at, caller, body)
    given = turns(body.input)
    asked = plan(config, named, conversation(before, given, body.instructions), wishes(body))
    draft = Draft(body=body, created=int(time.time()), store=body.store is not False and config.trace.store)
    then = _remember(at, caller, draft, (*before, *given)) if draft.store else None
    if body.stream:
        source = await asking(at, request, caller, asked, then=then)
        return flow.EventStream(told(draft, source), source=source)
    written = await ask(at, request, caller, asked, then=then)
    return flow.reply(finished(draft, written[0]), trace=written[0].trace)


@router.get(
    "/responses/{response_id}",
    operation_id="retrieveResponse",
    summary="A response that was stored",
    responses={200: {"model": ResponseShape, "description": "The response"}, **fault.ERRORS},
)
async def retrieve(response_id: str, at: At, caller: Asker) -> Response:
    """Only for the key that asked."""
    return flow.reply((await _find(at, caller, response_id, param="response_id")).body)


@router.delete(
    "/responses/{response_id}",
    operation_id="deleteResponse",
    summary="Forget a response that was stored",
    responses={200: {"model": DeletedShape, "description": "It is forgotten"}, **fault.ERRORS},
)
async def delete(response_id: str, at: At, caller: Asker) -> Response:
    """Only for the key that asked. Its trace stays."""
    engine = at.project.parts.engine
    if not await at.quickly(lambda: remembered.forget(engine, id=response_id, key=caller.key)):
        raise _unknown(response_id, param="response_id")
    deleted: DeletedShape = {"id": response_id, "object": "response", "deleted": True}
    return flow.reply(deleted)


async def _before(at: Service, caller: Caller, body: ResponsesRequest) -> tuple[Message, ...]:
    if not body.previous_response_id:
        return ()
    return (await _find(at, caller, body.previous_response_id, param="previous_response_id")).messages


async def _find(at: Service, caller: Caller, response: str, *, param: str) -> Remembered:
    engine = at.project.parts.engine
    found = await at.quickly(lambda: remembered.find(engine, id=response, key=caller.key))
    if found is None:
        raise _unknown(response, param=param)
    return found


def _unknown(response: str, *, param: str) -> Fault:
    cure = "it was not stored, was deleted, or belongs to another key; send the turns as input"
    return Fault(404, f"no response '{response[:80]}'; {cure}", code="response_not_found", param=param)


def _remember(at: Service, caller: Caller, draft: Draft, messages: tuple[Message, ...]) -> Then:
    def then(written: list[Written]) -> None:
        one = written[0]
        if one.finish != "cancelled":
            turns = (*messages, spoken(one))
            remembered.keep(
                at.project.parts.engine, id=draft.id, key=caller.key, messages=turns, body=finished(draft, one)
            )

    return then
