"""A small HTTP server that answers as the test scripts it: one reply a request, in order, the last one for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import listening
from listening import Request


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A status with headers and body; `hang` keeps the connection open without a byte."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False


@dataclass
class Endpoint:
    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def stream(*chunks: dict[str, Any], done: bool = True) -> Reply:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + (["data: [DONE]\n\n"] if done else [])
    return Reply(headers={"Content-Type": "text/event-stream"}, body="".join(lines).encode())


def chunk(*, content: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = ({"content": content} if content else {}) | more
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "served-model", "choices": [choice]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return chunk() | {"choices": [], "usage": counted}


def text(content: str, *, finish: str = "stop") -> Reply:
    return stream(chunk(content=content), chunk(finish=finish), usage(10, 4))


def refusal(status: int, message: str, **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
    return Reply(status=status, headers={"Content-Type": "application/json", **headers}, body=body)


@contextmanager
def serve(replies: Sequence[Reply]) -> Iterator[Endpoint]:
    left, over = list(replies), threading.Event()
    endpoint = Endpoint(url="")

    def answer(request: Request) -> listening.Reply | None:
        endpoint.requests.append(request.json())
        endpoint.keys.append(request.headers.get("Authorization", ""))
        reply = left.pop(0) if len(left) > 1 else left[0]
        if reply.hang:
            over.wait(20)
            return None
        return reply.status, reply.headers, reply.body

    with listening.listening(answer) as address:
        endpoint.url = f"{address}/v1"
        try:
            yield endpoint
        finally:
            over.set()
