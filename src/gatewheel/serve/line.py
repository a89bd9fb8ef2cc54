"""The line before the engine: so many are served at once, so many may wait, the next is told when to come back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any

STEADY = 0.8  # weight of the past in the mean time of a request
FIRST_GUESS = 2.0  # seconds, before any request has ended


class Busy(Exception):
    """No place to wait is free. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"all places are taken; try again in {retry_after} s")
        self.retry_after = retry_after


class Gone(Exception):
    """Who waited has left."""


class Place:
    """A place at the engine. Give it back once; giving it back again does nothing."""

    def __init__(self, line: Line) -> None:
        self._line: Line | None = line
        self._since = time.monotonic()

    def give_back(self) -> None:
        """Let the next one in."""
        line, self._line = self._line, None
        if line is not None:
            line._left(time.monotonic() - self._since)


class Line:
    """First come, first served. Belongs to one event loop."""

    def __init__(self, *, slots: int, queue: int) -> None:
        self.slots = slots
        self.queue = queue
        self.served = 0  # at this moment
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._mean = FIRST_GUESS

    @property
    def waiting(self) -> int:
        """How many wait at this moment."""
        return len(self._waiting)

    async def take(self, *, gone: Awaitable[object] | None = None) -> Place:
        """A place, at once or after waiting. Raises Busy when the queue is full, Gone when `gone` ends first."""
        if self.served < self.slots and not self._waiting:
            self.served += 1
            return Place(self)
        if len(self._waiting) >= self.queue:
            raise Busy(self.retry_after())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        left = asyncio.ensure_future(gone) if gone is not None else None
        try:
            either: set[asyncio.Future[Any]] = {turn, left} if left else {turn}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._withdraw(turn)
            raise
        finally:
            if left is not None:
                left.cancel()
        if not turn.done():
            self._withdraw(turn)
            raise Gone
        return Place(self)

    def retry_after(self) -> int:
        """Seconds until a place is likely to be free: what stands in line, at the pace of late."""
        return max(1, min(600, round((len(self._waiting) + 1) * self._mean / self.slots)))

    def _withdraw(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # its turn came while it left
            self._next()
            return
        turn.cancel()
        if turn in self._waiting:
            self._waiting.remove(turn)

    def _left(self, seconds: float) -> None:
        self._mean = STEADY * self._mean + (1 - STEADY) * seconds
        self._next()

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place passes on: `served` stays as it is
                return
        self.served -= 1
