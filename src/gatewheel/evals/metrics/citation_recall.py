"""Citation recall: the share of the case's evidence that the answer cites."""

from __future__ import annotations

from gatewheel.evals.metrics.citations import Settings, matches
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


def create(settings: Settings) -> Mean:
    """The metric. It does not apply to cases without evidence."""

    def recall(case: Case, answer: Answer) -> float | None:
        cited = matches(case, answer, settings)
        if cited is None:
            return None
        pieces = list(zip(*cited, strict=True))
        return sum(map(any, pieces)) / len(pieces) if pieces else 0.0

    return Mean(recall)
