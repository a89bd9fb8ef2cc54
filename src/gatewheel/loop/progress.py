"""How far long work is that consists of equal pieces: cases, answers, pairs. Who shows it is not known here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where it stands. `known` of those done were there before; `rate` is pieces a second of the rest.

    `left` is in seconds, None until something new was done.
    """

    target: str
    done: int
    total: int
    known: int
    errors: int
    rate: float
    left: float | None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """Who watches: told of progress, and asked whether to stop. `run` is the run that this is the work of."""

    on_progress: OnProgress | None = None
    cancelled: Callable[[], bool] = lambda: False
    run: str = ""


NOBODY = Watching()


class Notes:
    """Counts pieces and tells how far the work is, at first that nothing is done."""

    def __init__(self, target: str, total: int, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress or (lambda _: None)
        self._now = Progress(target=target, done=0, total=total, known=0, errors=0, rate=0.0, left=None)
        self._last, self._worked = time.monotonic(), 0.0
        self.tell()

    def take(self, *, known: bool = False, failed: bool = False) -> None:
        """One more."""
        now, at = self._now, time.monotonic()
        if not known:  # what is looked up says nothing of how fast the rest goes
            self._worked += at - self._last
        self._last = at
        self._now = replace(now, done=now.done + 1, known=now.known + known, errors=now.errors + failed)
        self.tell()

    def tell(self, target: str = "") -> None:
        """How far it is at this moment, and with what if that changes."""
        self._now = now = replace(self._now, target=target or self._now.target)
        worked = self._worked + time.monotonic() - self._last
        rate = (now.done - now.known) / max(worked, 1e-9)
        self._on_progress(replace(now, rate=rate, left=(now.total - now.done) / rate if rate else None))
