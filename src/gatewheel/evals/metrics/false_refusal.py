"""False refusal: 1 when the application abstains from a question that can be answered."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case


def false_refusal(case: Case, answer: Answer) -> float | None:
    """1 or 0; None where nothing can be answered."""
    return float(answer.abstained) if case.answerable else None


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(false_refusal, better="lower")
