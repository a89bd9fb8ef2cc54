"""Inclusion: 1 when a reference stands word for word in the answer, by the rules of SQuAD.

The measure for answers in sentences, where exact match asks too much ("has answer" in Karpukhin et al. 2020).
"""

from __future__ import annotations

import re

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.squad import best
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.scripts import UNSPACED

_UNSPACED = re.compile(f"[{UNSPACED}]")


def inclusion(case: Case, answer: Answer) -> float | None:
    """1 or 0; None where the case has no references."""
    return best(case, answer, lambda reference, said: float(includes(said, reference)))


def includes(text: str, piece: str) -> bool:
    """Whether the words of a normalised piece stand in a normalised text; no words only in no words.

    >>> includes("it has 14 gates", "4 gates"), includes("it has 4 gates now", "4 gates"), includes("yes", "")
    (False, True, False)
    """
    if not piece:
        return not text
    return piece in text if _UNSPACED.search(piece) else f" {piece} " in f" {text} "


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(inclusion)
