"""Token precision: how near each content word of an answer comes to a word of the evidence, as the encoder sees both.

The precision of BERTScore (Zhang et al. 2020, https://arxiv.org/abs/1904.09675), greedy matching by cosine, of the
words that carry content, each once; here the evidence stands where BERTScore has a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gatewheel.evals.metrics.evidence import passages, worded
from gatewheel.evals.metrics.lexical_grounding import content
from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Contextual

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets, Vectors

KEPT = 32  # passages whose tokens stay: questions about one text come one after another. 12 MB of 256 tokens each


def create(_settings: Settings, *, encoder: Contextual | None = None) -> Mean:
    """The metric. It does not apply to abstentions, without evidence, nor to answers without a content word.

    Raises ConfigError for an encoder that has no vectors of single tokens.
    """
    if encoder is None or not hasattr(encoder, "token_vectors"):
        raise ConfigError(
            "the metric token-precision needs the vectors of single tokens, which this project's encoder does not give",
            cure='set [encoder.main] use = "openvino", or take the metric out of the suite',
        )
    read = lru_cache(KEPT)(lambda text: encoder.token_vectors([text])[0])

    def precision(case: Case, answer: Answer) -> float | None:
        if answer.abstained:
            return None
        said = words(answer)
        places, evidence = content(said), passages(case, answer)
        if not places or not evidence:
            return None
        spans, rows = encoder.token_vectors([said])[0]
        held = [vectors for _, vectors in (read(worded(one)) for one in evidence) if len(vectors)]
        return _nearest(list(places.values()), spans, rows, held) if held else 0.0

    return Mean(precision, bounds=(-1.0, 1.0))


def _nearest(places: Sequence[tuple[int, int]], spans: Offsets, rows: Vectors, held: Sequence[Vectors]) -> float | None:
    """The mean over words of the mean over their tokens of the greatest cosine with any token of the evidence."""
    import numpy as np

    best = np.max([(rows @ other.T).max(axis=1) for other in held], axis=0).astype(np.float64)
    inside = [(spans[:, 0] < end) & (spans[:, 1] > start) for start, end in places]
    found = [float(best[which].mean()) for which in inside if which.any()]
    return min(1.0, max(-1.0, sum(found) / len(found))) if found else None
