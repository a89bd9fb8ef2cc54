"""Bits per byte: how many bits the model would need for a byte of a text in UTF-8, by its own probabilities."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Settings
from gatewheel.evals.metrics.surprise import Surprise, octets


def create(_settings: Settings) -> Surprise:
    """The metric, of texts that were scored whole: `bits_per_byte` of the lm-evaluation-harness."""
    return Surprise(lambda text, _likelihood: octets(text), lambda nats: nats / math.log(2), 0.0)
