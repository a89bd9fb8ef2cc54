"""Word perplexity: e to the surprise of a text for each of its words, whatever tokens they are made of."""

from __future__ import annotations

import math

from gatewheel.evals.metrics.mean import Settings
from gatewheel.evals.metrics.surprise import Surprise, words


def create(_settings: Settings) -> Surprise:
    """The metric, of texts that were scored whole: `word_perplexity` of the lm-evaluation-harness."""
    return Surprise(lambda text, _likelihood: words(text), math.exp, 1.0)
