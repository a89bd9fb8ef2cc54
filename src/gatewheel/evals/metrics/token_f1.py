"""Token F1 by the rules of SQuAD: the harmonic mean of precision and recall of the answer's words."""

from __future__ import annotations

from collections import Counter

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.squad import best
from gatewheel.kernel.nouns import Answer, Case


def token_f1(case: Case, answer: Answer) -> float | None:
    """In 0..1; None where the case has no references."""
    return best(case, answer, overlap)


def overlap(reference: str, said: str) -> float:
    """F1 of two normalised texts as bags of words. Two empty texts agree: 1.

    >>> round(overlap("grand canal", "canal of venice"), 3)
    0.4
    """
    right, given = reference.split(), said.split()
    if not right or not given:
        return float(right == given)
    shared = (Counter(right) & Counter(given)).total()
    return 2 * shared / (len(right) + len(given))


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(token_f1)
