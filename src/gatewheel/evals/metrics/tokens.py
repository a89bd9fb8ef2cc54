"""Tokens that an answer took; an answer without a call of the model took none."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "tokens"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    of: Literal["both", "input", "output"] = Field("both", description="Tokens read, tokens written, or both together.")


def create(settings: Settings) -> Mean:
    """The metric."""

    def tokens(_case: Case, answer: Answer) -> float:
        counts = {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens}
        return float(sum(counts.values()) if settings.of == "both" else counts[settings.of])

    return Mean(tokens, better="lower", bounds=(0.0, math.inf))
