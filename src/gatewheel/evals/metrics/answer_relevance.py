"""Answer relevance: the cosine of question and answer, as the encoder sees them.

It tells an answer to another question, never whether an answer is right.
"""

from __future__ import annotations

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Encoder


def create(_settings: Settings, *, encoder: Encoder | None = None) -> Mean:
    """The metric. It does not apply to abstentions. Raises ConfigError without an encoder that makes vectors."""
    if encoder is None or not encoder.dimensions:
        raise ConfigError(
            "the metric answer-relevance needs an encoder, and the project has none",
            cure='set [encoder.main] use = "openvino", or take the metric out of the suite',
        )

    def relevance(case: Case, answer: Answer) -> float | None:
        if answer.abstained:
            return None
        said = words(answer)
        if not said.strip():
            return 0.0
        question, reply = encoder.encode([case.question, said]).astype("float64")
        cosine = float(question @ reply)
        return min(1.0, max(-1.0, cosine))  # rows are of unit length as far as float32 goes

    return Mean(relevance, bounds=(-1.0, 1.0))
