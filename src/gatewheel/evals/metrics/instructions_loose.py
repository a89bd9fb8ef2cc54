"""Instruction following, loose: also without a line before or after the answer, and without asterisks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewheel.evals.metrics.instructions.checks import loosened
from gatewheel.evals.metrics.instructions.metric import Settings, following

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Metric


def create(settings: Settings) -> Metric:
    """The metric."""
    return following(settings, loosened)
