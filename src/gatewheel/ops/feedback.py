"""What people say of answers. Append-only; the same words twice are one row."""

from __future__ import annotations

from sqlalchemy import Engine

from gatewheel.kernel.nouns import Feedback


def recent(engine: Engine, *, trace: str = "", limit: int) -> list[Feedback]:
    """The newest first."""
    raise NotImplementedError
