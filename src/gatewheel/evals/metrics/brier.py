"""Brier score (Brier 1950): the squared distance of the confidence from 1 where the answer is right, from 0 else."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from gatewheel.evals.metrics.classes import Names
from gatewheel.evals.metrics.confidence import Key, Stated, judged
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "brier"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stated: Stated = ""
    answer: Key = "answer"
    classes: Names = ()


def create(settings: Settings) -> Mean:
    """The metric. It does not apply to abstentions nor where no confidence or no right answer is known."""

    def brier(case: Case, answer: Answer) -> float | None:
        found = judged(case, answer, stated=settings.stated, key=settings.answer, classes=settings.classes)
        return None if found is None else (found[0] - found[1]) ** 2

    return Mean(brier, better="lower")
