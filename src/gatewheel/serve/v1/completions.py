"""POST /v1/completions, the older form: each prompt is a message to the model's template, or with `echo` read raw."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from itertools import accumulate
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from gatewheel.kernel.config import Config
from gatewheel.kernel.nouns import Caller, Message, TokenLogprob
from gatewheel.serve import events, fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import echo, replies, tuned, vocabulary
from gatewheel.serve.v1.asking import ask, asking
from gatewheel.serve.v1.chat_request import REFUSED as CHAT_REFUSED
from gatewheel.serve.v1.chat_request import StreamOptions
from gatewheel.serve.v1.content import INTEGRAL, OPEN, Stop, Words, refuse
from gatewheel.serve.v1.shapes import TextChoice, TextLogprobs, TextShape
from gatewheel.serve.v1.wishes import Wishes, plan, refuse_long
from gatewheel.serve.v1.writing import Piece, Written

router = APIRouter()
MOST = 128  # prompts of a request
Tokens = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
One = TypeVar("One")
Prompts = Annotated[list[One], Field(min_length=1, max_length=MOST)]
ECHOED = {
    "max_tokens": "it must be 0 or 1: the prompt is read, and at most one token is written",
    "temperature": "it must be 0: the token that is written is the likeliest",
    "stream": "nothing is streamed; leave it out",
    "n": "it must be 1",
    "stop": "nothing is written that it could end; leave it out",
}
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    **{name: rule for name, rule in CHAT_REFUSED.items() if name != "echo"},
    "suffix": (("",), "the models here write forward only; leave it out"),
    "best_of": ((1,), "must be 1; ask for n choices and take the best"),
}


class CompletionRequest(BaseModel):
    """The body. With `echo` prompts are read as they stand, may be token ids, and at most one token is written."""

    model_config = OPEN
    model: str = Field(description="`app`, `app/<name>`, or a model of the project: see GET /v1/models.")
    prompt: Words | Prompts[Words] | Tokens | Prompts[Tokens]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2, description="1 when absent.")
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: Annotated[int, Field(ge=0), INTEGRAL] | None = Field(
        None, description="When absent, what the context has room for; with `echo` 0 or 1."
    )
    n: Annotated[int, Field(ge=1, le=8), INTEGRAL] | None = None
    seed: Annotated[int, INTEGRAL] | None = None
    stop: str | Stop | None = None
    logprobs: Annotated[int, Field(ge=0, le=5), INTEGRAL] | None = None
    echo: bool | None = Field(None, description="Tell, with `logprobs`, how likely each token of the prompt is.")
    suffix: str | None = Field(None, max_length=0)
    best_of: Annotated[int, Field(ge=1, le=1), INTEGRAL] | None = None
    frequency_penalty: float | None = Field(None, ge=0, le=0)
    presence_penalty: float | None = Field(None, ge=0, le=0)
    logit_bias: dict[str, float] | None = Field(None, max_length=0)
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("echo") and _has_tokens(data.get("prompt")):
            message = "prompt: must be text unless echo is true, since it goes through the model's template"
            raise fault.Fault(400, message, code="unsupported_parameter", param="prompt")
        return refuse(data, REFUSED)


def _has_tokens(prompt: Any) -> bool:
    return isinstance(prompt, list) and any(isinstance(one, int | list) for one in prompt)


@router.post(
    "/completions",
    operation_id="createCompletion",
    summary="Answer one prompt",
    responses={
        200: {"model": TextShape, "description": "The text", "content": events.DECLARED},
        **fault.ERRORS,
    },
)
async def create(
    body: CompletionRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """OpenAI's older completions: the prompt is answered as a user's message, not continued; `echo` scores it."""
    if body.echo:
        return flow.reply(await echo.echo(at, request, caller, _echoed(at.project.config, body)))
    if body.max_tokens == 0:
        raise fault.Fault(400, "max_tokens: must be at least 1 unless echo is true", param="max_tokens")
    config, named = await tuned.writer(at, caller, body.model)
    plans = [plan(config, named, (Message(role="user", content=prompt),), _wishes(body)) for prompt in _texts(body)]
    if body.stream:
        if len(plans) > 1:
            raise fault.Fault(400, "prompt: one at a time in a stream", code="invalid_value", param="prompt")
        source = await asking(at, request, caller, plans[0])
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return flow.EventStream(flow.until_done(_events(body.model, source, with_usage=with_usage)), source=source)
    written = [await ask(at, request, caller, one) for one in plans]
    return flow.reply(_whole(body.model, written), trace=written[0][0].trace)


def _texts(body: CompletionRequest) -> list[str]:
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    return [prompt for prompt in prompts if isinstance(prompt, str)]  # token ids are refused above


def _echoed(config: Config, body: CompletionRequest) -> echo.Echoed:
    """Raises Fault 400 for what a prompt that is only read cannot have."""
    named = vocabulary.model(config, body.model)
    for name, wrong in {
        "max_tokens": body.max_tokens not in (0, 1),
        "temperature": body.max_tokens == 1 and body.temperature != 0,
        "stream": body.stream,
        "n": body.n not in (None, 1),
        "stop": body.stop,
    }.items():
        if wrong:
            raise fault.Fault(400, f"{name}: with echo {ECHOED[name]}", code="unsupported_parameter", param=name)
    prompt = body.prompt
    prompts: Any = [prompt] if isinstance(prompt, str) or isinstance(prompt[0], int) else prompt
    for one in prompts:
        refuse_long(config, named, len(one), field="prompt")
    return echo.Echoed(named=named, prompts=prompts, more=body.max_tokens or 0, logprobs=body.logprobs)


def _wishes(body: CompletionRequest) -> Wishes:
    return Wishes(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_tokens,
        seed=body.seed,
        stop=tuple(filter(None, [body.stop] if isinstance(body.stop, str) else body.stop or ())),
        n=body.n or 1,
        logprobs=body.logprobs,
    )


def _whole(model: str, written: list[list[Written]]) -> TextShape:
    flat = [one for choices in written for one in choices]
    return {
        "id": replies.new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "choices": [_choice(one, number) for number, one in enumerate(flat)],
        "usage": replies.total([choices[0].usage for choices in written], [one.usage for one in flat]),
        "system_fingerprint": replies.fingerprint(flat),
    }


def _choice(written: Written, index: int) -> TextChoice:
    return {
        "index": index,
        "text": written.text,
        "logprobs": _logprobs(written.logprobs),
        "finish_reason": replies.finish_reason(written),
        "gatewheel": replies.grounding(written),
    }


def _logprobs(tokens: tuple[TokenLogprob, ...]) -> TextLogprobs | None:
    if not tokens:
        return None
    return {
        "tokens": [one.token for one in tokens],
        "token_logprobs": [one.logprob for one in tokens],
        "top_logprobs": [dict(one.top) for one in tokens],
        "text_offset": list(accumulate((len(one.token) for one in tokens[:-1]), initial=0)),
    }


async def _events(model: str, source: flow.Stream, *, with_usage: bool) -> AsyncIterator[bytes]:
    head: dict[str, Any] = {
        "id": replies.new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": None,
    }
    blank: dict[str, Any] = {"usage": None} if with_usage else {}
    async for one in source:
        if isinstance(one, Piece):
            choice: Any = {"index": one.index, "text": one.text, "logprobs": None, "finish_reason": None}
        else:
            choice = {**_choice(one, one.index), "text": ""}
            head["system_fingerprint"] = replies.fingerprint([one])
        yield flow.data({**head, "choices": [choice], **blank})
    written = await source.result()
    if with_usage:
        yield flow.data({**head, "choices": [], "usage": replies.usage(written)})
