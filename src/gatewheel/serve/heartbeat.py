"""Keeps a stream of server-sent events alive while nothing comes (a comment: WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

HEARTBEAT = b": waiting\n\n"  # proxies would otherwise drop a silent connection
EVERY = 10.0  # seconds between two of them


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
