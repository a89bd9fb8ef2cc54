"""Seconds from the question to the whole answer, by the clock on the wall."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case


def seconds(_case: Case, answer: Answer) -> float:
    """Of the answer when it was first made: a repeated run takes it from the cache with its time."""
    return float(answer.seconds)


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(seconds, better="lower", bounds=(0.0, math.inf))
