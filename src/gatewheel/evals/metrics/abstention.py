"""Abstention: 1 when the application abstains where nothing can be answered and answers where something can."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case


def abstention(case: Case, answer: Answer) -> float:
    """1 or 0; it applies to every case."""
    return float(answer.abstained is not case.answerable)


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(abstention)
