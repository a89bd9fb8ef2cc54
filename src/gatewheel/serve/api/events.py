"""Server-sent events of `/api/`: what their streams have in common (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from gatewheel.serve.heartbeat import beating

__all__ = ["DECLARED", "beating", "stream"]

DECLARED: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """A response that no cache or proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(beating(events), media_type="text/event-stream", headers=headers)
