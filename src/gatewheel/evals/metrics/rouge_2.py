"""ROUGE-2: the F-measure of pairs of words."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.rouge import Settings, rouge


def create(settings: Settings) -> Mean:
    """The metric."""
    return rouge("rouge2", settings)
