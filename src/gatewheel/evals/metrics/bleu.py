"""BLEU of a corpus (Papineni et al. 2002) by sacrebleu, in 0..100."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.corpus import Corpus


class Settings(BaseModel):
    """`[metric.<name>] use = "bleu"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = Field(
        "13a", description='sacrebleu\'s tokenizer: "zh" for Chinese, "char" for other scripts without spaces.'
    )
    lowercase: bool = Field(False, description="Let the case of letters not count.")


def create(settings: Settings) -> Corpus:
    """The metric."""
    from sacrebleu.metrics.bleu import BLEU

    return Corpus(BLEU(tokenize=settings.tokenize, lowercase=settings.lowercase))
