"""One call of a model without documents, recorded as a Trace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Caller, Completion, Message, Trace
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.kernel.trace import Recorder
from gatewheel.loop.ask import CANCELLED
from gatewheel.loop.compose import Parts
from gatewheel.loop.recording import record, told


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A completion and the id of its trace, None when nothing is recorded."""

    completion: Completion
    trace: str | None


def complete(
    parts: Parts,
    messages: Sequence[Message],
    *,
    model: str,
    decoding: Decoding,
    on_text: OnText | None,
    caller: Caller,
) -> Completed:
    """Call `[model.<name>]`. Raises ConfigError, ModelError.

    The trace has the last message of the user as its question; a call that fails or is cancelled leaves one with its
    error. A trace that cannot be kept costs a note, not the completion.
    """
    recorder = Recorder()
    engine = parts.model(model)
    provider = parts.config.table("model", model).use
    try:
        with recorder.span(f"chat {model}", **trace.chat_request(engine.name, messages, decoding)) as span:
            completion = engine.chat(messages, decoding=decoding, on_text=on_text)
            span |= trace.chat_response(completion)
    except BaseException as error:
        failed = _trace(recorder, messages, model=engine.name, key=caller.key, error=told(error))
        record(parts, failed, provider=provider)
        raise
    left = CANCELLED if completion.finish == "cancelled" else ""
    made = _trace(recorder, messages, model=engine.name, key=caller.key, completion=completion, error=left)
    return Completed(completion=completion, trace=record(parts, made, provider=provider))


def _trace(
    recorder: Recorder,
    messages: Sequence[Message],
    *,
    model: str,
    key: str,
    completion: Completion | None = None,
    error: str = "",
) -> Trace:
    usage = completion.usage if completion else None
    return Trace(
        id=recorder.id,
        created=recorder.created,
        kind="completion",
        question=next((message.content for message in reversed(messages) if message.role == "user"), ""),
        answer=_said(completion) if completion else "",
        abstained=False,
        variant="",
        seconds=recorder.seconds(),
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        spans=tuple(recorder.spans),
        model=model,
        cost=usage.cost if usage else None,
        key=key,
        error=error,
    )


def _said(completion: Completion) -> str:
    calls = [{"tool": call.name, "arguments": call.arguments} for call in completion.tool_calls]
    return completion.text or (json.dumps(calls, ensure_ascii=False) if calls else "")
