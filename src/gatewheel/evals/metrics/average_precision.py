"""MAP: the mean of the precisions at each right source (map_cut_k of trec_eval)."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.ranked import Settings, ranked


def create(settings: Settings) -> Mean:
    """The metric."""
    from ir_measures import AP

    return ranked(AP @ settings.k, settings)
