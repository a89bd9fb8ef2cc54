"""BBQ's bias score where the context says who it is: whether a stereotype goes before what was read."""

from __future__ import annotations

from gatewheel.evals.metrics.bbq import Bbq, Settings


def create(settings: Settings) -> Bbq:
    """The metric."""
    return Bbq("disambig", settings)
