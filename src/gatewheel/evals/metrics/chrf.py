"""chrF of a corpus (Popović 2015) by sacrebleu, in 0..100: character n-grams, fit for every language."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.corpus import Corpus


class Settings(BaseModel):
    """`[metric.<name>] use = "chrf"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    word_order: int = Field(0, ge=0, le=4, description="Longest word n-gram that counts as well; 2 makes it chrF++.")
    lowercase: bool = Field(False, description="Let the case of letters not count.")


def create(settings: Settings) -> Corpus:
    """The metric."""
    from sacrebleu.metrics.chrf import CHRF

    return Corpus(CHRF(word_order=settings.word_order, lowercase=settings.lowercase))
