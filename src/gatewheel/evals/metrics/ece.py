"""Expected calibration error: how far confidence is from the share that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.classes import Names
from gatewheel.evals.metrics.confidence import Key, Stated, judged
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.evals.statistics.intervals import Interval
    from gatewheel.kernel.ports import Scores


class Settings(BaseModel):
    """`[metric.<name>] use = "ece"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: int = Field(10, ge=1, le=100, description="Bins of the same width in 0..1.")
    stated: Stated = ""
    answer: Key = "answer"
    classes: Names = ()


@dataclass(frozen=True, slots=True)
class Ece:
    """Fulfils the ports Metric and OwnInterval. A row is (confidence, 1 if right else 0)."""

    settings: Settings
    better: Literal["lower"] = "lower"
    bounds: tuple[float, float] = (0.0, 1.0)

    def score(self, case: Case, answer: Answer) -> tuple[float, float] | None:
        """The two numbers; None for an abstention and where either is not known."""
        of = self.settings
        return judged(case, answer, stated=of.stated, key=of.answer, classes=of.classes)

    def figure(self, rows: Scores) -> float:
        """The expected calibration error; not a number without cases."""
        from gatewheel.evals.statistics.reliability import calibration_error

        return calibration_error(rows, self.settings.bins)

    def interval(self, rows: Scores, *, clusters: Sequence[str], level: float) -> Interval:
        """The interval, which knows that luck alone raises the figure."""
        from gatewheel.evals.statistics import reliability

        return reliability.interval(rows, self.settings.bins, clusters=clusters, level=level)


def create(settings: Settings) -> Ece:
    """The metric."""
    return Ece(settings)
