"""Instruction following, strict: what the answer as it stands follows of IFEval's instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewheel.evals.metrics.instructions.metric import Settings, following

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Metric


def create(settings: Settings) -> Metric:
    """The metric."""
    return following(settings, lambda text: (text,))
