"""What takes minutes to find out and several may ask for: found out once, and to wait for it takes no thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

Value = TypeVar("Value")
HOLD = 10.0  # seconds: who asks again every half a second has it, and nobody gets what was true long ago


class Lookup:
    """Looks under way, by what they are for, so many at once as it has threads. For one event loop.

    What ended while nobody waited is held for who asks next, for `hold` seconds.
    """

    def __init__(self, threads: int, *, hold: float = HOLD) -> None:
        self._hold = hold
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lookup")
        self._under_way: dict[Hashable, asyncio.Future[Any]] = {}

    async def get(self, key: Hashable, make: Callable[[], Value], *, seconds: float | None = None) -> Value | None:
        """What `make` returns or raises; None where that is not known within these seconds, and it goes on.

        None too where `close` dropped it.
        """
        if (found := self._under_way.get(key)) is None:
            found = asyncio.get_running_loop().run_in_executor(self._pool, make)
            self._under_way[key] = found
            found.add_done_callback(lambda one: self._over(key, one))
        await asyncio.wait([found], timeout=seconds)
        if not found.done():
            return None
        self._drop(key, found)
        return None if found.cancelled() else cast(Value, found.result())

    def close(self) -> None:
        """Wait for what is under way, and drop what waits."""
        self._pool.shutdown(cancel_futures=True)

    def _over(self, key: Hashable, found: asyncio.Future[Any]) -> None:
        if not found.cancelled():
            found.exception()  # seen, or asyncio would complain where nobody waited any more
        found.get_loop().call_later(self._hold, self._drop, key, found)

    def _drop(self, key: Hashable, found: asyncio.Future[Any]) -> None:
        if self._under_way.get(key) is found:
            del self._under_way[key]
