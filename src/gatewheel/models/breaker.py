"""A circuit breaker: what keeps failing is left alone for a while, then tried once. Knows nothing about models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed while all is well; open for `cooldown` seconds after `failures` failures in a row; then one trial decides.

    Whoever `admits` lets through says afterwards how it went: `succeeded`, `failed`, or `withdrew` when it cannot say.
    """

    def __init__(self, *, failures: int, cooldown: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._cooldown = cooldown
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0  # in a row
        self._opened: float | None = None
        self._on_trial = False

    @property
    def seconds_left(self) -> float:
        """Until the next trial; 0 when calls are admitted, or when a trial is under way."""
        opened = self._opened
        return 0.0 if opened is None else max(0.0, opened + self._cooldown - self._clock())

    def admits(self) -> bool:
        """Whether the next call may be made; after the cooldown this is true once, until that call has ended."""
        with self._lock:
            if self._opened is None:
                return True
            if self._on_trial or self.seconds_left:
                return False
            self._on_trial = True
            return True

    def succeeded(self) -> None:
        """All is well."""
        with self._lock:
            self._failed, self._opened, self._on_trial = 0, None, False

    def failed(self) -> None:
        """One more failure; the last that is borne, or one on trial, opens it."""
        with self._lock:
            self._failed += 1
            if self._on_trial or self._failed >= self._failures:
                self._opened = self._clock()
            self._on_trial = False

    def withdrew(self) -> None:
        """The call ended for a reason of the caller's: nothing was learnt, and the next may be the trial."""
        with self._lock:
            self._on_trial = False
