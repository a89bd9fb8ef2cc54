"""Perplexity: e to the mean surprise of a token. Only models with the same vocabulary can be compared by it."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Settings
from gatewheel.evals.metrics.surprise import Surprise


def create(_settings: Settings) -> Surprise:
    """The metric, of texts that were scored whole."""
    return Surprise(lambda _text, likelihood: likelihood.tokens, math.exp, 1.0)
