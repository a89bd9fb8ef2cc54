"""Choice accuracy by log-probability for its length, so that a longer choice is not less likely for its length alone.

The `acc_norm` of the lm-evaluation-harness, which divides by the characters of the choice (without what stands before
it), and its `acc_bytes`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.choices import is_nothing, likeliest, log_probabilities, right_choice
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "choice-accuracy-norm"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: Literal["characters", "bytes"] = Field("characters", description="What the length of a choice is counted in.")


def create(settings: Settings) -> Mean:
    """The metric. It does not apply to cases without choices and label, nor to answers without likelihoods."""

    def length(choice: str) -> int:
        counted = len(choice) if settings.by == "characters" else len(choice.encode("utf-8", "surrogatepass"))
        return max(1, counted)  # an empty choice would be divided by 0

    def choice_accuracy_norm(case: Case, answer: Answer) -> float | None:
        right = right_choice(case)
        if right is None:
            return None
        found = log_probabilities(case, answer)
        if found is None:
            return 0.0 if is_nothing(answer) else None
        by_length = [each / length(choice) for each, choice in zip(found, case.choices, strict=True)]
        return float(likeliest(by_length) == right)

    return Mean(choice_accuracy_norm)
