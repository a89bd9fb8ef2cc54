"""Expected calibration error: how far confidence is from the share that is right.

Naeini, Cooper & Hauskrecht (2015); Guo et al. (2017), equation 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.confidence import judged
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores


class Settings(BaseModel):
    """`[metric.<name>] use = "ece"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: int = Field(10, ge=1, le=100, description="Bins of the same width in 0..1.")
    stated: str = Field(
        "",
        description="The key under which a JSON answer states its confidence in 0..1. Empty: the mean support of the "
        "sentences that the checker let stand.",
    )


@dataclass(frozen=True, slots=True)
class Ece:
    """Fulfils the port Metric. A row is (confidence, 1 if right else 0)."""

    settings: Settings
    better: Literal["lower"] = "lower"
    bounds: tuple[float, float] = (0.0, 1.0)

    def score(self, case: Case, answer: Answer) -> tuple[float, float] | None:
        """The two numbers; None for an abstention and where either is not known."""
        return judged(case, answer, stated=self.settings.stated)

    def figure(self, rows: Scores) -> float:
        """The mean over the bins, by their cases, of |share right − mean confidence|; not a number without cases.

        A bin holds its upper edge, as in scikit-learn's calibration_curve.
        """
        import numpy as np

        if not len(rows):
            return math.nan
        edges = np.linspace(0, 1, self.settings.bins + 1)[1:-1]
        away = np.bincount(np.searchsorted(edges, rows[:, 0]), weights=rows[:, 1] - rows[:, 0])
        return float(np.abs(away).sum() / len(rows))


def create(settings: Settings) -> Ece:
    """The metric."""
    return Ece(settings)
