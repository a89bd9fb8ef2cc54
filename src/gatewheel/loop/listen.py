"""Feedback on a trace, as a person gives it."""

from __future__ import annotations

from typing import Any

from gatewheel.kernel.nouns import Caller, Feedback
from gatewheel.loop.compose import Parts


def give(parts: Parts, trace: str, *, caller: Caller, **said: Any) -> Feedback:
    """Keep what the caller says of a trace. Raises UserError."""
    raise NotImplementedError
