"""The shapes of what /v1/responses answers: OpenAI's, with the extension field `gatewheel`."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from gatewheel.serve.v1.shapes import Grounding, TokenShape


class Annotation(TypedDict):
    """The marker at character `index` of the text cites this document, whose source is its id."""

    type: Literal["file_citation"]
    file_id: str
    filename: str
    index: int


class OutputText(TypedDict):
    """Text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[Annotation]
    logprobs: list[TokenShape]


class RefusalPart(TypedDict):
    """JSON was asked for, and the documents do not say."""

    type: Literal["refusal"]
    refusal: str


class MessageItem(TypedDict):
    """An answer."""

    type: Literal["message"]
    id: str
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"]
    content: list[OutputText | RefusalPart]


class CallShape(TypedDict):
    """A function that the model calls."""

    type: Literal["function_call"]
    id: str
    call_id: str
    name: str
    arguments: str
    status: Literal["in_progress", "completed"]


class CachedTokens(TypedDict):
    """Of the input; there is no cache."""

    cached_tokens: int


class ReasoningTokens(TypedDict):
    """Of the output; the models here do not reason apart."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens of the model."""

    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class ResponseError(TypedDict):
    """Why there is no answer."""

    code: str
    message: str


class Incomplete(TypedDict):
    """Why an answer is cut off."""

    reason: Literal["max_output_tokens"]


class ResponseShape(TypedDict):
    """What POST /v1/responses answers."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: Literal[False]
    error: ResponseError | None
    incomplete_details: Incomplete | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[MessageItem | CallShape]
    parallel_tool_calls: bool
    previous_response_id: str | None
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    gatewheel: Grounding | None


class DeletedShape(TypedDict):
    """What DELETE /v1/responses/{id} answers."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]
