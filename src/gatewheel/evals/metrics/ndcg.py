"""nDCG: right sources count less the later they stand (Järvelin & Kekäläinen 2002; ndcg_cut_k of trec_eval)."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.ranked import Settings, ranked


def create(settings: Settings) -> Mean:
    """The metric."""
    from ir_measures import nDCG

    return ranked(nDCG @ settings.k, settings)
