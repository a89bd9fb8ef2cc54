"""Server-sent events of `/api/`: what their streams have in common (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

HEARTBEAT = b": waiting\n\n"  # a comment; proxies would otherwise drop a silent connection
EVERY = 10.0  # seconds between two of them
DECLARED: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """A response that no cache or proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(beating(events), media_type="text/event-stream", headers=headers)


async def beating(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same events, with a heartbeat wherever nothing comes for a while."""
    following = aiter(events)
    coming = asyncio.ensure_future(_next(following))
    try:
        while True:
            await asyncio.wait({coming}, timeout=EVERY)
            if not coming.done():
                yield HEARTBEAT
                continue
            event = coming.result()
            if event is None:
                return
            yield event
            coming = asyncio.ensure_future(_next(following))
    finally:
        coming.cancel()


async def _next(events: AsyncIterator[bytes]) -> bytes | None:
    return await anext(events, None)
