"""Citation precision: the share of the citations that lead to the case's evidence."""

from __future__ import annotations

from gatewheel.evals.metrics.citations import Settings, matches
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


def create(settings: Settings) -> Mean:
    """The metric. An answer without citations has 0; an abstention, which owes none, does not count."""

    def precision(case: Case, answer: Answer) -> float | None:
        cited = matches(case, answer, settings)
        if cited is None or answer.abstained:
            return None
        return sum(map(any, cited)) / len(cited) if cited else 0.0

    return Mean(precision)
