"""Accuracy: 1 when the answer names the right class or choice."""

from __future__ import annotations

from gatewheel.evals.metrics.classes import Settings, labels
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


def create(settings: Settings) -> Mean:
    """The metric. It does not apply to cases without a label."""

    def accuracy(case: Case, answer: Answer) -> float | None:
        named = labels(case, answer, settings)
        return None if named is None else float(named[0] == named[1])

    return Mean(accuracy)
