"""Measures of a ranking by trec_eval, through ir-measures (MacAvaney, Macdonald & Ounis 2022).

What is ranked are the sources of the passages: the second passage of a document adds nothing to its first.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "hit", "recall", "mrr", "ndcg" or "map"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    k: int = Field(10, ge=1, le=1_000, description="How many sources, from the first, are looked at.")


def ranked(measure: Any, settings: Settings) -> Mean:
    """The metric of a measure of ir-measures. It does not apply to cases that name no sources."""
    from ir_measures import pytrec_eval

    def of(case: Case, answer: Answer) -> float | None:
        if not case.sources:
            return None
        right = set(case.sources)
        sources = list(dict.fromkeys(hit.passage.source for hit in answer.passages))[: settings.k]
        if right.isdisjoint(sources):
            return 0.0
        # numbers for names, because trec_eval is written in C and takes not every text
        names = {source: str(at) for at, source in enumerate([*sources, *sorted(right.difference(sources))])}
        run = {names[source]: float(-at) for at, source in enumerate(sources)}
        judged = {"case": {names[source]: 1 for source in right}}
        return float(next(iter(pytrec_eval.iter_calc([measure], judged, {"case": run}))).value)

    return Mean(of)
