"""A score of a whole corpus by sacrebleu (Post 2018): a row holds the counts of a case, and their sum makes the figure.

The mean of the scores of sentences is another number, which nobody publishes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as Reference

    from gatewheel.kernel.ports import Scores


@dataclass(frozen=True, slots=True)
class Corpus:
    """Fulfils the port Metric. `bounds` are those of the figure, on sacrebleu's scale of 0..100."""

    reference: Reference
    better: Literal["higher"] = "higher"
    bounds: tuple[float, float] = (0.0, 100.0)

    def score(self, case: Case, answer: Answer) -> tuple[float, ...] | None:
        """The counts that the figure needs; None without references or where nothing can be answered."""
        if not case.answerable or not case.references:
            return None
        # the two steps that sacrebleu's own significance tests are built on; its public scores hide the counts of chrF
        counts = self.reference._extract_corpus_statistics([words(answer)], [[text] for text in case.references])
        return tuple(float(count) for count in counts[0])

    def figure(self, rows: Scores) -> float:
        """The score of the corpus; not a number without cases."""
        if not len(rows):
            return math.nan
        counts = [int(total) for total in rows.sum(axis=0)]
        score = float(self.reference._compute_score_from_stats(counts).score)
        return min(score, self.bounds[1])  # exp(log(100)) is a little more than 100
