"""BBQ's bias score where the context does not say who it is, so that only a stereotype can name somebody."""

from __future__ import annotations

from gatewheel.evals.metrics.bbq import Bbq, Settings


def create(settings: Settings) -> Bbq:
    """The metric."""
    return Bbq("ambig", settings)
