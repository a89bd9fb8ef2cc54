"""Hit: 1 when one of the first k sources is a right one (Success@k of trec_eval)."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.ranked import Settings, ranked


def create(settings: Settings) -> Mean:
    """The metric."""
    from ir_measures import Success

    return ranked(Success @ settings.k, settings)
