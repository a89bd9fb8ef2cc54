"""Requests to an endpoint that can be ended at any moment, also while nothing comes: read on an event loop of our own.

A blocking read hears nothing but the socket, so whoever left would hold a place until the endpoint's timeout.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import AsyncOpenAI

PAUSE = 0.5  # seconds without a chunk after which the caller is asked whether to go on
CLOSING = 5.0  # seconds for connections to be closed
_END = object()
_starting = threading.Lock()


class Calls:
    """The streams of one client. `open` is False once it is closed."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client
        self._under_way: set[Future[None]] = set()
        self.open = True

    @property
    def key(self) -> str:
        """The secret that is sent."""
        return self._client.api_key

    def chunks(self, body: dict[str, Any]) -> Generator[dict[str, Any] | None]:
        """The chunks of one completion, and None whenever none came for `PAUSE` seconds.

        Closing it ends the request. Raises what the client raises, CancelledError when `close` was called, and
        ValueError for a line that is no JSON. The lines are server-sent events: a field and its value.
        """
        heard: SimpleQueue[Any] = SimpleQueue()
        reading = asyncio.run_coroutine_threadsafe(self._read(body, heard), _shared_loop())
        self._under_way.add(reading)
        reading.add_done_callback(lambda _: heard.put(_END))
        reading.add_done_callback(self._under_way.discard)
        try:
            while (line := _next(heard)) is not _END:
                if line is None:
                    yield None
                elif line.startswith("data:"):
                    if (said := line[5:].strip()) == "[DONE]":
                        return  # what is read on is the end of the body, so that the connection serves again
                    yield json.loads(said)
            reading.result()
        except BaseException:
            reading.cancel()
            raise

    def close(self) -> None:
        """End what is under way and let go of the connections."""
        self.open = False
        for reading in list(self._under_way):
            reading.cancel()
        with suppress(TimeoutError, CancelledError):
            asyncio.run_coroutine_threadsafe(self._client.close(), _shared_loop()).result(CLOSING)

    async def _read(self, body: dict[str, Any], heard: SimpleQueue[Any]) -> None:
        # to its end or to a cancellation at its innermost wait: a generator that is left in the middle would be
        # finished by whichever thread collects the garbage
        completions = self._client.chat.completions.with_streaming_response
        # the body goes around the client's own rewriting of it, which would take a third of the time of a request
        async with completions.create(model=body["model"], messages=[], stream=True, extra_body=body) as response:
            async for line in response.iter_lines():
                heard.put(line)


def _next(heard: SimpleQueue[Any]) -> Any:
    try:
        return heard.get(timeout=PAUSE)
    except Empty:
        return None


def _shared_loop() -> asyncio.AbstractEventLoop:
    with _starting:
        return _loop_of(os.getpid())


@lru_cache(maxsize=1)  # a forked process inherits the object, not the thread
def _loop_of(_: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="endpoints", daemon=True).start()
    return loop
