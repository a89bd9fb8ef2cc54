"""The typed events of a streamed response, in OpenAI's order, numbered from 0."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from gatewheel.serve import flow
from gatewheel.serve.v1.responses_reply import Draft, failed, file_citations, finished, items, message, part, started
from gatewheel.serve.v1.writing import Piece, Written

_EMPTY_TEXT = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
Event = dict[str, Any]


async def told(draft: Draft, source: flow.Stream) -> AsyncIterator[bytes]:
    """Every event as the client reads it."""

    def failure(error: Exception) -> Event:
        return {"type": "response.failed", "response": failed(draft, flow.error_body(error)["error"])}

    number = 0
    async for event in flow.guarded(_typed(draft, source), failure=failure):
        yield flow.data({**event, "sequence_number": number}, event=event["type"])
        number += 1


async def _typed(draft: Draft, source: flow.Stream) -> AsyncIterator[Event]:
    yield {"type": "response.created", "response": started(draft)}
    yield {"type": "response.in_progress", "response": started(draft)}
    opened = False
    async for one in source:
        if isinstance(one, Piece):
            for event in () if opened else _open(draft, _EMPTY_TEXT):
                yield event
            opened = True
            yield {**_place(draft, "response.output_text.delta"), "delta": one.text, "logprobs": []}
        else:
            for event in _calls(draft, one) if one.tool_calls else _close(draft, one, opened=opened):
                yield event
    whole = finished(draft, (await source.result())[0])
    yield {"type": f"response.{whole['status']}", "response": whole}


def _open(draft: Draft, empty: Event) -> Iterator[Event]:
    yield {"type": "response.output_item.added", "output_index": 0, "item": message(draft, content=[])}
    yield {**_place(draft, "response.content_part.added"), "part": empty}


def _close(draft: Draft, written: Written, *, opened: bool) -> Iterator[Event]:
    if written.refused:
        yield from _open(draft, {"type": "refusal", "refusal": ""})
        yield {**_place(draft, "response.refusal.delta"), "delta": written.text}
        yield {**_place(draft, "response.refusal.done"), "refusal": written.text}
    else:
        if not opened:
            yield from _open(draft, _EMPTY_TEXT)
        for at, annotation in enumerate(file_citations(written)):
            added = _place(draft, "response.output_text.annotation.added")
            yield {**added, "annotation_index": at, "annotation": annotation}
        whole: Any = part(written)
        yield {**_place(draft, "response.output_text.done"), "text": written.text, "logprobs": whole["logprobs"]}
    yield {**_place(draft, "response.content_part.done"), "part": part(written)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": items(draft, written)[0]}


def _calls(draft: Draft, written: Written) -> Iterator[Event]:
    for at, item in enumerate(items(draft, written)):
        call: Any = item
        place = {"item_id": call["id"], "output_index": at}
        begun = {**call, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": at, "item": begun}
        yield {"type": "response.function_call_arguments.delta", **place, "delta": call["arguments"]}
        done = {"name": call["name"], "arguments": call["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, **done}
        yield {"type": "response.output_item.done", "output_index": at, "item": call}


def _place(draft: Draft, kind: str) -> Event:
    return {"type": kind, "item_id": draft.message_id, "output_index": 0, "content_index": 0}
