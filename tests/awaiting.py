"""Waiting for what another thread or process will do."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait until it holds; fails when it does not in this time, which is far more than it should need."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
