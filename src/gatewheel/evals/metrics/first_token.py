"""Seconds from the call of the model to its first token."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case


def first_token(_case: Case, answer: Answer) -> float | None:
    """None where no model wrote anything, and where an endpoint sent all at once."""
    return answer.usage.seconds_to_first_token or None if answer.usage.output_tokens else None


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(first_token, better="lower", bounds=(0.0, math.inf))
