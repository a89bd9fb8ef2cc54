"""ROUGE-1: the F-measure of single words."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.rouge import Settings, rouge


def create(settings: Settings) -> Mean:
    """The metric."""
    return rouge("rouge1", settings)
