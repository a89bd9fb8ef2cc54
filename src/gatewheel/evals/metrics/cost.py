"""US dollars that an answer cost."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case, Usage


def cost(_case: Case, answer: Answer) -> float | None:
    """0 without a call of the model, None where its price is not known."""
    if answer.usage == Usage():
        return 0.0
    return None if answer.usage.cost is None else float(answer.usage.cost)


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(cost, better="lower", bounds=(0.0, math.inf))
