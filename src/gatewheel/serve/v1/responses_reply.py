"""From what was written to a response: its items, its envelope, and what is remembered of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gatewheel.kernel.nouns import Message
from gatewheel.serve.v1 import replies
from gatewheel.serve.v1.responses_request import ResponsesRequest
from gatewheel.serve.v1.responses_shapes import (
    Annotation,
    CallShape,
    MessageItem,
    OutputText,
    RefusalPart,
    ResponseShape,
    ResponseUsage,
)
from gatewheel.serve.v1.writing import Written

_MARKER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A response that is being made: what is certain of it before a word is written."""

    body: ResponsesRequest
    created: int
    store: bool
    id: str = field(default_factory=lambda: replies.new_id("resp_"))
    message_id: str = field(default_factory=lambda: replies.new_id("msg_"))


def started(draft: Draft) -> ResponseShape:
    """The envelope with nothing in it."""
    body = draft.body
    asked = body.model_dump(mode="json", by_alias=True, include={"tools", "tool_choice", "text"}, exclude_none=True)
    return {
        "id": draft.id,
        "object": "response",
        "created_at": draft.created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "model": body.model,
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": body.previous_response_id,
        "store": draft.store,
        "temperature": body.temperature,
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_p": body.top_p,
        "truncation": "disabled",
        "usage": None,
        "gatewheel": None,
    }


def finished(draft: Draft, written: Written) -> ResponseShape:
    """The whole response."""
    response = started(draft)
    cut = written.finish == "length"
    response["status"] = "incomplete" if cut else "completed"
    response["incomplete_details"] = {"reason": "max_output_tokens"} if cut else None
    response["output"] = items(draft, written)
    response["usage"] = _usage(written)
    response["gatewheel"] = replies.grounding(written)
    return response


def failed(draft: Draft, error: dict[str, Any]) -> ResponseShape:
    """A response that was begun and came to nothing."""
    response = started(draft)
    response["status"] = "failed"
    response["error"] = {"code": error["code"] or "server_error", "message": error["message"]}
    return response


def items(draft: Draft, written: Written) -> list[MessageItem | CallShape]:
    """The calls of functions, or else the message."""
    if written.tool_calls:
        return [
            {
                "type": "function_call",
                "id": f"fc_{call.id}",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "status": "completed",
            }
            for call in written.tool_calls
        ]
    status = "incomplete" if written.finish == "length" else "completed"
    item = message(draft, content=[part(written)])
    item["status"] = cast("Any", status)
    return [item]


def message(draft: Draft, *, content: list[OutputText | RefusalPart]) -> MessageItem:
    """The message while it is being written."""
    return {
        "type": "message",
        "id": draft.message_id,
        "status": "in_progress",
        "role": "assistant",
        "content": content,
    }


def part(written: Written) -> OutputText | RefusalPart:
    """What the message consists of."""
    if written.refused:
        return {"type": "refusal", "refusal": written.text}
    return {
        "type": "output_text",
        "text": written.text,
        "annotations": file_citations(written),
        "logprobs": replies.token_logprobs(written.logprobs),
    }


def file_citations(written: Written) -> list[Annotation]:
    """One for each marker in the text."""
    cited = {citation.n: citation.source for citation in written.answer.citations} if written.answer else {}
    return [
        {"type": "file_citation", "file_id": source, "filename": source, "index": found.start()}
        for found in _MARKER.finditer(written.text)
        if (source := cited.get(int(found.group(1))))
    ]


def spoken(written: Written) -> Message:
    """What was written as a turn of the conversation."""
    text = "" if written.tool_calls else written.text
    return Message(role="assistant", content=text, tool_calls=written.tool_calls)


def _usage(written: Written) -> ResponseUsage:
    total = replies.usage([written])
    return {
        "input_tokens": total["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": total["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total["total_tokens"],
    }


def conversation(before: Sequence[Message], given: Sequence[Message], instructions: str | None) -> tuple[Message, ...]:
    """What the model is given: instructions, the turns before, the new ones."""
    first = (Message(role="system", content=instructions),) if instructions else ()
    return (*first, *before, *given)
