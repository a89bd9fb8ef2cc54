"""Instruction following as a metric: the share of prompts, or of single instructions, that was followed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.instructions.checks import asked, followed
from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Metric, Scores

Forms = Callable[[str], Sequence[str]]


class Settings(BaseModel):
    """`[metric.<name>] use = "instructions-strict" or "instructions-loose"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    level: Literal["prompt", "instruction"] = Field(
        "prompt", description="Whether all instructions of a case are followed, or which share of all instructions."
    )


@dataclass(frozen=True, slots=True)
class OfInstructions:
    """Fulfils the port Metric. A row is (instructions followed, instructions): a case with three counts three times."""

    forms: Forms
    better: Literal["higher"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)

    def score(self, case: Case, answer: Answer) -> tuple[float, float] | None:
        """The two numbers; None without instructions."""
        verdicts = _verdicts(case, answer, self.forms)
        return (float(sum(verdicts)), float(len(verdicts))) if verdicts else None

    def figure(self, rows: Scores) -> float:
        """Instructions followed of all instructions; not a number without cases."""
        return float(rows[:, 0].sum() / rows[:, 1].sum()) if len(rows) else math.nan


def following(settings: Settings, forms: Forms) -> Metric:
    """The metric over these forms of an answer. It does not apply to cases without `checks` in their meta."""
    if settings.level == "instruction":
        return OfInstructions(forms)

    def prompt(case: Case, answer: Answer) -> float | None:
        verdicts = _verdicts(case, answer, forms)
        return float(all(verdicts)) if verdicts else None

    return Mean(prompt)


def _verdicts(case: Case, answer: Answer, forms: Forms) -> list[bool]:
    return followed(asked(case), forms(words(answer)))
