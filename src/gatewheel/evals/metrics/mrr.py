"""Mean reciprocal rank: 1 / the place of the first right source, 0 behind k (recip_rank of trec_eval)."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.ranked import Settings, ranked


def create(settings: Settings) -> Mean:
    """The metric."""
    from ir_measures import RR

    return ranked(RR, settings)
