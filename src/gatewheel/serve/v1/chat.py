"""POST /v1/chat/completions"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller
from gatewheel.serve import events, fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import replies, tuned
from gatewheel.serve.v1.asking import ask, asking
from gatewheel.serve.v1.chat_request import ChatRequest, turns, wishes
from gatewheel.serve.v1.shapes import ChatShape, ChoiceShape
from gatewheel.serve.v1.wishes import plan
from gatewheel.serve.v1.writing import Piece, Written

router = APIRouter()


@router.post(
    "/chat/completions",
    operation_id="createChatCompletion",
    summary="Answer a conversation, from the documents (`app`) or by a plain model",
    responses={200: {"model": ChatShape, "description": "The answer", "content": events.DECLARED}, **fault.ERRORS},
)
async def create(
    body: ChatRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """OpenAI's chat completions. A grounded answer cites with [n]; `message.gatewheel` says what stands behind each."""
    config, named = await tuned.writer(at, caller, body.model)
    asked = plan(config, named, turns(body.messages), wishes(body))
    if not body.stream:
        written = await ask(at, request, caller, asked)
        return flow.reply(_whole(body.model, written), trace=written[0].trace)
    source = await asking(at, request, caller, asked)
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    return flow.EventStream(flow.until_done(_events(body.model, source, with_usage=with_usage)), source=source)


def _whole(model: str, written: list[Written]) -> ChatShape:
    return {
        "id": replies.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [_choice(one) for one in written],
        "usage": replies.usage(written),
        "system_fingerprint": replies.fingerprint(written),
    }


def _choice(written: Written) -> ChoiceShape:
    choice: ChoiceShape = {
        "index": written.index,
        "message": {
            "role": "assistant",
            "content": None if written.refused or written.tool_calls else written.text,
            "refusal": written.text if written.refused else None,
            "gatewheel": replies.grounding(written),
        },
        "logprobs": replies.logprobs(written.logprobs),
        "finish_reason": replies.finish_reason(written),
    }
    if written.tool_calls:
        choice["message"]["tool_calls"] = replies.tool_calls(written)
    return choice


async def _events(model: str, source: flow.Stream, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The chunks: role, text, and at the end of each choice its calls, logprobs and what stands behind it."""
    head: dict[str, Any] = {
        "id": replies.new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": None,
    }
    blank: dict[str, Any] = {"usage": None} if with_usage else {}
    opened: set[int] = set()
    async for one in source:
        if one.index not in opened:
            opened.add(one.index)
            first = {"role": "assistant", "content": "", "refusal": None}
            yield flow.data({**head, "choices": [_delta(one.index, first)], **blank})
        if isinstance(one, Piece):
            yield flow.data({**head, "choices": [_delta(one.index, {"content": one.text})], **blank})
        else:
            head["system_fingerprint"] = replies.fingerprint([one])
            yield flow.data({**head, "choices": [_last(one)], **blank})
    written = await source.result()
    if with_usage:
        yield flow.data({**head, "choices": [], "usage": replies.usage(written)})


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _last(written: Written) -> dict[str, Any]:
    delta: dict[str, Any] = {"gatewheel": replies.grounding(written)}
    if written.tool_calls:
        calls = replies.tool_calls(written)
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    if written.refused:
        delta["refusal"] = written.text
    return {
        "index": written.index,
        "delta": delta,
        "logprobs": replies.logprobs(written.logprobs),
        "finish_reason": replies.finish_reason(written),
    }
