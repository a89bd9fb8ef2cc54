"""A sync call in a thread that speaks while it works, heard from the event loop. Leaving early stops it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Say = Callable[[Any], bool]
"""Given to the call: hands a piece over and answers whether to stop."""

_END = object()


class Speaking(Generic[Result]):
    """`async for piece in speaking` gives what the call says; then `await speaking.result()` what it returns.

    Whoever stops listening calls `stop`: the next thing the call says is answered with True, as it is once `ended`,
    which belongs to all calls, is set.
    """

    def __init__(self, call: Callable[[Say], Result], *, pool: Executor, ended: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        self._stopped = threading.Event()
        self._ended = ended
        self._future = self._loop.run_in_executor(pool, self._run, call)
        self._future.add_done_callback(lambda _: self._said.put_nowait(_END))

    def stop(self) -> None:
        """The call is told to stop at the next thing it says."""
        self._stopped.set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (piece := await self._said.get()) is not _END:
            yield piece

    async def result(self) -> Result:
        """What the call returned. Raises what it raised. Whoever waits may be cancelled; the call is not."""
        return await asyncio.shield(self._future)

    def _run(self, call: Callable[[Say], Result]) -> Result:
        return call(self._say)

    def _say(self, piece: Any) -> bool:
        if not self._stopped.is_set():
            self._loop.call_soon_threadsafe(self._said.put_nowait, piece)
        return self._stopped.is_set() or self._ended.is_set()
