"""A metric whose figure is the mean of one number a case: most of them are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores


class Settings(BaseModel):
    """Of a metric with nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Mean:
    """Fulfils the port Metric. `of` gives the number of one case, None where the metric does not apply."""

    of: Callable[[Case, Answer], float | None]
    _: KW_ONLY
    better: Literal["higher", "lower"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)

    def score(self, case: Case, answer: Answer) -> float | None:
        """The number of one case."""
        return self.of(case, answer)

    def figure(self, rows: Scores) -> float:
        """The mean of rows of shape (cases, 1); not a number without cases."""
        return float(rows[:, 0].mean()) if len(rows) else math.nan
