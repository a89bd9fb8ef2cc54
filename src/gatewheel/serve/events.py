"""Server-sent events as a response, kept alive while nothing comes (WHATWG HTML, 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

DECLARED: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
"""For `content=` of a response that may be a stream."""
HEARTBEAT = b": waiting\n\n"  # a comment; proxies would otherwise drop a silent connection
EVERY = 10.0  # seconds of silence before one


class Events(StreamingResponse):
    """A stream that no cache or proxy holds back. Each item of `events` is one whole event."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        quiet = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=quiet)

    async def stream_response(self, send: Send) -> None:
        """Send all events. The heart is a task of its own, since one that guarded each event cost more than it."""
        loop = asyncio.get_running_loop()
        last = loop.time()

        async def beat() -> None:
            with suppress(OSError):  # the client has gone, which the events will find out
                while True:
                    if (rest := last + EVERY - loop.time()) <= 0:
                        await passing({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
                    else:
                        await asyncio.sleep(rest)

        async def passing(message: Message) -> None:
            nonlocal last
            last = loop.time()
            if message["type"] == "http.response.body" and not message["more_body"]:
                beating.cancel()
            await send(message)

        beating = asyncio.ensure_future(beat())
        try:
            await super().stream_response(passing)
        finally:
            beating.cancel()
