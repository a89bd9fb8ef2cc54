"""OpenAI's chat-completions wire: nouns to a request, a stream to what was received, faults to ModelError."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatewheel.kernel.errors import ModelError, PromptTooLong
from gatewheel.kernel.nouns import Message, TokenLogprob, ToolCall
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.models import logprobs
from gatewheel.models.stream import Writer

_PASSING = (408, 409, 425)  # timeout, conflict, too early: those besides 429 and 5xx that are worth another try
_SERVER_STOPS = 4  # OpenAI takes no more; the others are looked for on our side


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One reply. Token counts are the server's; where it sent none, output is the count of pieces and input 0."""

    text: str
    finish: str
    model: str
    tool_calls: tuple[ToolCall, ...]
    input_tokens: int
    output_tokens: int
    seconds: float
    seconds_to_first: float
    logprobs: tuple[TokenLogprob, ...] = ()
    id: str = ""

    def after(self, earlier: Received) -> Received:
        """This reply with what the earlier attempt cost added."""
        return replace(
            self,
            input_tokens=self.input_tokens + earlier.input_tokens,
            output_tokens=self.output_tokens + earlier.output_tokens,
            seconds=self.seconds + earlier.seconds,
            seconds_to_first=earlier.seconds + self.seconds_to_first,
        )


NOTHING = Received(
    text="", finish="cancelled", model="", tool_calls=(), input_tokens=0, output_tokens=0, seconds=0, seconds_to_first=0
)
"""Of a request that was never sent, since its caller left before its turn came."""


def request(
    model: str, messages: Sequence[Message], decoding: Decoding, *, sampling: bool, whole: bool, length_key: str
) -> dict[str, Any]:
    """The body of a request for a chat completion, `whole` or as a stream.

    Without `sampling` the model's own temperature holds.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [_wire(message) for message in messages],
        length_key: decoding.max_tokens,
        **({} if whole else {"stream": True, "stream_options": {"include_usage": True}}),
        **logprobs.ask(decoding),
    }
    if sampling:
        body |= {"temperature": decoding.temperature, "top_p": decoding.top_p}
        if decoding.seed is not None:
            body["seed"] = decoding.seed
    if decoding.stop and decoding.schema is None:
        body["stop"] = list(decoding.stop[:_SERVER_STOPS])
    if decoding.tools:
        body["tools"] = [dict(tool) for tool in decoding.tools]
    if decoding.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(decoding.schema)},
        }
    return body


def json_mode(body: dict[str, Any], decoding: Decoding) -> dict[str, Any]:
    """The same request for a server that refuses json_schema: any JSON, with the schema told in words."""
    told = f"Answer with one JSON value that validates against this JSON Schema: {json.dumps(decoding.schema)}"
    messages = [*body["messages"], {"role": "user", "content": told}]
    return body | {"messages": messages, "response_format": {"type": "json_object"}}


def with_repair(messages: Sequence[Message], text: str, wrong: str) -> list[Message]:
    """The conversation continued by the text that failed and the reason."""
    asked = f"That does not validate ({wrong}). Answer again with JSON that does."
    return [*messages, Message(role="assistant", content=text), Message(role="user", content=asked)]


def read_stream(chunks: Iterable[Mapping[str, Any] | None], *, decoding: Decoding, on_text: OnText | None) -> Received:
    """Everything a stream carries; at None, when nothing comes, the caller is asked.

    Raises ModelError when it ends before the server said that it was done.
    """
    started = time.perf_counter()
    writer = Writer(on_text=on_text, stop=() if decoding.schema is not None else decoding.stop)
    finish, model, id_, pieces = "", "", "", 0
    usage: Mapping[str, int] = {}
    calls: dict[int, dict[str, str]] = {}
    likely: list[TokenLogprob] = []
    for chunk in chunks:
        if chunk is None:
            if writer.feed(""):
                break
            continue
        choices = _choices(chunk)
        model, id_, usage = chunk.get("model") or model, chunk.get("id") or id_, chunk.get("usage") or usage
        for choice in choices:
            finish, delta = choice.get("finish_reason") or finish, choice.get("delta") or {}
            for piece in delta.get("tool_calls") or ():
                _gather(calls, piece)
            if said := (choice.get("logprobs") or {}).get("content"):
                likely += logprobs.read(said, top=decoding.logprobs or 0)
            if content := delta.get("content"):
                pieces += 1
                writer.feed(content)
        if writer.stopped_by:
            break
    writer.finish()
    if not finish and not writer.stopped_by:
        what = "the endpoint's stream broke off before the answer was complete"
        raise ModelError(what, cure="ask again", retryable=True)
    return Received(
        text=writer.text,
        finish=writer.stopped_by or ("tool_calls" if calls else _finish(finish)),
        model=model,
        tool_calls=tuple(ToolCall(**call) for _, call in sorted(calls.items())),
        input_tokens=usage.get("prompt_tokens", 0),
        output_tokens=usage.get("completion_tokens", pieces),
        seconds=time.perf_counter() - started,
        seconds_to_first=writer.seconds_to_first,
        logprobs=logprobs.cut(likely, writer.text),
        id=id_,
    )


def complain(error: Exception, *, model: str, base_url: str, api_key_env: str, timeout: float) -> ModelError:
    """What to tell the user for a fault of the client or the endpoint, and whether it is worth another try."""
    import httpx2
    import openai

    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        what = f"{base_url} sent nothing for {timeout:g} s"
        return ModelError(what, cure="raise timeout, or ask for less", retryable=True)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        what = f"cannot reach {base_url} ({error.__cause__ or error})"
        return ModelError(what, cure="start it, or mend base_url", retryable=True)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return ModelError(f"{base_url} refused the key ({error.status_code})", cure=f"check {api_key_env}")
    if isinstance(error, openai.NotFoundError):
        cure = "check model, and that base_url ends where /chat/completions begins (often /v1)"
        return ModelError(f"{base_url} knows no model '{model}' ({_said(error)})", cure=cure)
    if isinstance(error, openai.RateLimitError):
        cure = "wait, raise max_retries, or check the quota of the account"
        what = f"{base_url} still refuses after the retries: 429 ({_said(error)})"
        return ModelError(what, cure=cure, retryable=True)
    if isinstance(error, openai.BadRequestError) and _is_too_long(error):
        what = f"the prompt is too long for {base_url} ({_said(error)})"
        return PromptTooLong(what, cure="shorten the prompt, or take a model with a longer context")
    if isinstance(error, openai.APIStatusError):
        what, passing = f"{base_url} answered {error.status_code} ({_said(error)})", error.status_code in _PASSING
        return ModelError(what, retryable=passing or error.status_code >= 500)
    what = f"{base_url} sent something that is no chat completion ({error})"
    return ModelError(what, cure="check base_url", retryable=True)


def refuses_json_schema(error: BaseException | None) -> bool:
    """Whether the endpoint refused a request for the sake of its response_format."""
    import openai

    refused = isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError)
    return refused and any(word in str(error) for word in ("response_format", "json_schema"))


def _wire(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _gather(calls: dict[int, dict[str, str]], piece: Mapping[str, Any]) -> None:
    """A call arrives in pieces: its id and name once, its arguments in any number of parts."""
    call = calls.setdefault(piece.get("index", 0), {"id": "", "name": "", "arguments": ""})
    function = piece.get("function") or {}
    call["id"] = piece.get("id") or call["id"]
    call["name"] += function.get("name") or ""
    call["arguments"] += function.get("arguments") or ""


def _choices(chunk: Any) -> list[dict[str, Any]]:
    if isinstance(chunk, Mapping) and (error := chunk.get("error")):
        what = f"the endpoint broke off: {error.get('message') if isinstance(error, Mapping) else error}"
        raise ModelError(what[:300], retryable=True)
    choices = chunk.get("choices") if isinstance(chunk, Mapping) else None
    if not isinstance(choices, list) or not all(map(_is_choice, choices)):
        raise ModelError(f"the endpoint's stream holds something that is no chunk: {str(chunk)[:120]}", retryable=True)
    return choices


def _is_choice(choice: Any) -> bool:
    delta = choice.get("delta") or {} if isinstance(choice, Mapping) else None
    return isinstance(delta, Mapping) and isinstance(delta.get("content") or "", str)


def _is_too_long(error: Any) -> bool:
    """By OpenAI's code or llama.cpp's type; vLLM and others say it in words only."""
    kinds = ("context_length_exceeded", "exceed_context_size_error")
    return error.code in kinds or error.type in kinds or "context length" in _said(error)


def _finish(said: str) -> str:
    return said if said in ("stop", "length", "tool_calls") else "stop"


def _said(error: Any) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, Mapping) else None
    return str(message or error.message)[:300]
