"""Byte perplexity: e to the surprise of a text for each of its bytes in UTF-8."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Settings
from gatewheel.evals.metrics.surprise import Surprise, octets


def create(_settings: Settings) -> Surprise:
    """The metric, of texts that were scored whole: `byte_perplexity` of the lm-evaluation-harness."""
    return Surprise(lambda text, _likelihood: octets(text), math.exp, 1.0)
