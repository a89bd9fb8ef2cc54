"""Keeps a project that serves for months tidy: what `[trace] keep_days` says is forgotten, at the start and daily."""

from __future__ import annotations

import threading
import time

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.store.database import explain
from gatewheel.loop.compose import Parts
from gatewheel.ops.retention import Purged, purge

DAY = 86_400.0  # seconds


def tidy(parts: Parts) -> Purged:
    """Forget what is older than `[trace] keep_days`; nothing when that is 0."""
    days = parts.config.trace.keep_days
    return purge(parts.engine, older_than=time.time() - days * DAY) if days else Purged()


def keep_tidy(parts: Parts, stopped: threading.Event, *, every: float = DAY) -> None:
    """Tidy now and each day until `stopped` is set. Made for a thread; a fault of the database is told and outlived."""
    while not stopped.is_set():
        try:
            gone = tidy(parts)
        except DBAPIError as error:
            parts.say(f"old traces were not deleted: {explain(error)}")
        else:
            if gone.traces:
                parts.say(f"{gone.traces} traces older than {parts.config.trace.keep_days} days were deleted")
        stopped.wait(every)
