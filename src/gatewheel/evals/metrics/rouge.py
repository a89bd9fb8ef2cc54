"""ROUGE (Lin 2004) by Google's rouge-score: the F-measure of the best reference."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.scripts import UNSPACED

_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")


class Settings(BaseModel):
    """`[metric.<name>] use = "rouge-1"`, "rouge-2" or "rouge-l"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stemmer: bool = Field(False, description="Compare stems by Porter: for English only.")
    letters: Literal["ascii", "unicode"] = Field(
        "ascii",
        description="Which letters make words. ROUGE knows a–z and 0–9 alone, so that a text in another script has "
        "none and scores 0.",
    )


class _Unicode:
    """Words of any script in lower case; one sign is a word where a script sets no spaces. Fulfils `Tokenizer`."""

    def __init__(self, *, stemmer: bool) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer = PorterStemmer() if stemmer else None

    def tokenize(self, text: str) -> list[str]:
        found = _WORD.findall(text.lower())
        if self._stemmer is None:
            return found
        return [str(self._stemmer.stem(word)) if len(word) > 3 else word for word in found]


def rouge(kind: Literal["rouge1", "rouge2", "rougeL"], settings: Settings) -> Mean:
    """The metric. It does not apply to cases without references or without an answer."""
    from rouge_score.rouge_scorer import RougeScorer

    tokenizer = _Unicode(stemmer=settings.stemmer) if settings.letters == "unicode" else None
    scorer = RougeScorer([kind], use_stemmer=settings.stemmer, tokenizer=tokenizer)

    def of(case: Case, answer: Answer) -> float | None:
        if not case.answerable or not case.references:
            return None
        return float(scorer.score_multi(case.references, words(answer))[kind].fmeasure)

    return Mean(of)
