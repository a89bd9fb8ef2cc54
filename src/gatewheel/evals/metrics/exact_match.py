"""Exact match by the rules of SQuAD: 1 when the answer is one of the references."""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.squad import best
from gatewheel.kernel.nouns import Answer, Case


def exact_match(case: Case, answer: Answer) -> float | None:
    """1 or 0; None where the case has no references."""
    return best(case, answer, lambda reference, said: float(reference == said))


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(exact_match)
