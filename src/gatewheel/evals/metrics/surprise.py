"""How surprised a model is by whole texts, for as much as there is of them: perplexities and bits per byte.

A figure is made of the sums over all texts, so that a long text counts for more than a short one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores

Count = Callable[[str, Likelihood], int]


@dataclass(frozen=True, slots=True)
class Surprise:
    """Fulfils the port Metric. A row is (natural log-probability of the text, how much there is of it).

    `told` makes the figure of the mean surprise, in nats for as much as is counted.
    """

    count: Count
    told: Callable[[float], float]
    least: float
    better: Literal["lower"] = "lower"

    @property
    def bounds(self) -> tuple[float, float]:
        return self.least, math.inf

    def score(self, case: Case, answer: Answer) -> tuple[float, float] | None:
        """The two numbers; None for a case with choices, without a text, and without its likelihood."""
        if case.choices or len(answer.likelihoods) != 1:
            return None
        (likelihood,) = answer.likelihoods
        much = self.count(case.question, likelihood)
        # rounding may leave a text that is certain a little more than certain
        return (min(0.0, likelihood.logprob), float(much)) if much else None

    def figure(self, rows: Scores) -> float:
        """Of all texts together; not a number without any."""
        if not len(rows):
            return math.nan
        try:
            return self.told(-float(rows[:, 0].sum() / rows[:, 1].sum()))
        except OverflowError:
            return math.inf


def words(text: str) -> int:
    """As the lm-evaluation-harness counts them: what stands between white space, also before the first and after."""
    return len(re.split(r"\s+", text))


def octets(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))
