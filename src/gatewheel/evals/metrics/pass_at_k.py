"""pass@k: how likely it is that one of k answers is code that passes the tests of the case (Chen et al. 2021).

The code runs in the sandbox and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics import code
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores


class Settings(BaseModel):
    """`[metric.<name>] use = "pass-at-k"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    k: int = Field(
        1, ge=1, le=1_000, description="Of so many answers one must pass; each case is asked so often at least."
    )
    seconds: float = Field(3.0, gt=0, le=600, description="On the clock, for the solution and its tests.")
    memory: int = Field(512, ge=64, le=65_536, description="Megabytes of address space.")


@dataclass(frozen=True, slots=True)
class PassAtK:
    """Fulfils the ports Metric and OfRepeats: 1 for an answer that passed, and of those of a case `together` pass@k."""

    settings: Settings
    better: Literal["higher"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def repeats(self) -> int:
        """As many answers as k."""
        return self.settings.k

    def score(self, case: Case, answer: Answer) -> float | None:
        """1 or 0; None for a case without tests. Raises MissingPart where there is no sandbox."""
        return passed(case, answer, self.settings)

    def together(self, numbers: Sequence[float]) -> float:
        """The estimate from all answers to a case."""
        return estimate(len(numbers), round(sum(numbers)), self.settings.k)

    def figure(self, rows: Scores) -> float:
        """The mean over cases; not a number without any."""
        return float(rows[:, 0].mean()) if len(rows) else math.nan


def create(settings: Settings) -> Mean | PassAtK:
    """The metric. With k = 1 the estimate is the share that passed, and so each answer keeps its own number."""
    if settings.k == 1:
        return Mean(lambda case, answer: passed(case, answer, settings))
    return PassAtK(settings)


def estimate(n: int, passing: int, k: int) -> float:
    """1 − C(n−c, k) / C(n, k) for c of n that pass: unbiased (Chen et al. 2021, equation 1). n is at least k.

    >>> estimate(5, 1, 2)
    0.4
    """
    if not 0 <= passing <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {passing} in {n}")
    return 1 - math.comb(n - passing, k) / math.comb(n, k)


def passed(case: Case, answer: Answer, settings: Settings) -> float | None:
    """1 when the answer's code passes the case's tests, else 0; None for a case without tests."""
    if code.test_of(case) is None:
        return None
    if answer.abstained or not (answer.draft or answer.answer).strip():
        return 0.0
    return float(_passes(code.program(case, answer), settings.seconds, settings.memory))


@lru_cache(maxsize=4096)
def _passes(program: str, seconds: float, memory: int) -> bool:
    """Two metrics of a suite, such as pass@1 and pass@10, run it once."""
    from gatewheel.guard import sandbox

    return sandbox.run(program, name="solution", limits=sandbox.Limits(seconds=seconds, memory=memory << 20)).passed
