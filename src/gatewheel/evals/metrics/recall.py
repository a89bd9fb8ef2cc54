"""Recall: the share of the right sources that is among the first k (recall_k of trec_eval)."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.ranked import Settings, ranked


def create(settings: Settings) -> Mean:
    """The metric."""
    from ir_measures import R

    return ranked(R @ settings.k, settings)
