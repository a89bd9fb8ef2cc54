"""The tokens of a model: POST /tokenize and /detokenize, GET /tokenizer_info, by the names and shapes of vLLM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gatewheel.kernel.nouns import Caller
from gatewheel.kernel.ports import Vocabulary
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.service import Service, service
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1 import vocabulary
from gatewheel.serve.v1.content import OPEN
from gatewheel.serve.v1.shapes import DetokenizedShape, TokenizedShape, TokenizerShape
from gatewheel.serve.v1.surrogates import whole_characters

# not below /v1: evaluation harnesses look for them beside it
router = APIRouter(tags=["openai"], dependencies=[Depends(whole_characters)])
NAME = "A model of the project; without it `chat`, or the first one."
Result = TypeVar("Result")


class TokenizeRequest(BaseModel):
    """The body. No token is ever added: `add_special_tokens` may only say so."""

    model_config = OPEN
    model: str | None = Field(None, description=NAME)
    prompt: str
    add_special_tokens: Literal[False] | None = None


class DetokenizeRequest(BaseModel):
    """The body."""

    model_config = OPEN
    model: str | None = Field(None, description=NAME)
    tokens: list[Annotated[int, Field(ge=0)]] = Field(max_length=1_000_000)


@router.post(
    "/tokenize",
    operation_id="tokenize",
    summary="A text as tokens",
    responses={200: {"model": TokenizedShape, "description": "The tokens"}, **fault.ERRORS},
)
async def tokenize(
    body: TokenizeRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """By the vocabulary of the model; a control token that the text spells out is one."""

    def cut(words: Vocabulary) -> TokenizedShape:
        tokens = words.encode(body.prompt)
        return {"count": len(tokens), "max_model_len": words.length, "tokens": tokens}

    return await _told(at, request, caller, body.model, cut)


@router.post(
    "/detokenize",
    operation_id="detokenize",
    summary="Tokens as text",
    responses={200: {"model": DetokenizedShape, "description": "The text"}, **fault.ERRORS},
)
async def detokenize(
    body: DetokenizeRequest,
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
) -> Response:
    """Control tokens too."""

    def joined(words: Vocabulary) -> DetokenizedShape:
        return {"prompt": words.decode(body.tokens) if body.tokens else ""}

    return await _told(at, request, caller, body.model, joined)


@router.get(
    "/tokenizer_info",
    operation_id="tokenizer_info",
    summary="The control tokens and the chat template of a model",
    responses={200: {"model": TokenizerShape, "description": "What there is of them"}, **fault.ERRORS},
)
async def info(
    request: Request,
    at: Annotated[Service, Depends(service)],
    caller: Annotated[Caller, Depends(may("ask"))],
    model: Annotated[str | None, Query(description=NAME)] = None,
) -> Response:
    """What a client needs to put a conversation into the model's own words."""

    def told(words: Vocabulary) -> TokenizerShape:
        has = words.specials()
        return {
            "tokenizer_class": "Gatewheel",
            "model_max_length": words.length,
            "bos_token": has.get("bos_token"),
            "eos_token": has.get("eos_token"),
            "chat_template": has.get("chat_template"),
        }

    return await _told(at, request, caller, model, told)


async def _told(
    at: Service, request: Request, caller: Caller, name: str | None, tell: Callable[[Vocabulary], Result]
) -> Response:
    """In the line, since a GGUF may have to be converted for it; no weights are kept for it."""
    parts = at.project.seen_by(caller).parts
    named = vocabulary.model(parts.config, name)

    def call(_: Say) -> Result:
        return tell(vocabulary.of(parts, named))

    return flow.reply(await flow.outcome(at, request, call))
