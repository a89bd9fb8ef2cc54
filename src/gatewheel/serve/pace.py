"""How often: so many times a minute for each who comes. Counted in this process; belongs to one event loop."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0
MANY = 10_000  # who came; above it those are forgotten whose minute is over


class Pace:
    """The times at which each came in the last minute, so that no minute ever holds more than is allowed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: dict[str, deque[float]] = {}

    def wait(self, who: str, most: int) -> int:
        """Whole seconds until this one may come again; 0 for now."""
        now, came = self._clock(), self._came.get(who)
        if came is None:
            return 0
        while came and now - came[0] >= MINUTE:
            came.popleft()
        return 0 if len(came) < most else max(1, math.ceil(MINUTE - (now - came[len(came) - most])))

    def count(self, who: str) -> None:
        """It came."""
        if len(self._came) > MANY:
            old = self._clock() - MINUTE
            self._came = {name: came for name, came in self._came.items() if came and came[-1] > old}
        self._came.setdefault(who, deque()).append(self._clock())
