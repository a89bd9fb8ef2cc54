"""Macro-F1: the F1 of each class by itself, then their mean, so that a rare class counts as much as a frequent one."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gatewheel.evals.metrics.classes import Settings, fold, labels
from gatewheel.kernel.nouns import Answer, Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Scores

NO_CLASS = -1.0  # the answer named none: a miss for the right class, and no class of its own


@dataclass(frozen=True, slots=True)
class MacroF1:
    """Fulfils the port Metric. A row is (class named, right class) as numbers."""

    settings: Settings
    better: Literal["higher"] = "higher"
    bounds: tuple[float, float] = (0.0, 1.0)

    def score(self, case: Case, answer: Answer) -> tuple[float, float] | None:
        """The two numbers; None without a label."""
        found = labels(case, answer, self.settings)
        if found is None:
            return None
        named, right = found
        return NO_CLASS if named is None else self._number(named), self._number(right)

    def figure(self, rows: Scores) -> float:
        """The mean of 2·tp / (2·tp + fp + fn) over every class that is named or right; not a number without cases."""
        import numpy as np

        if not len(rows):
            return math.nan
        named, right = rows[:, 0], rows[:, 1]
        known = np.unique(rows[rows != NO_CLASS])

        def times(classes: Scores) -> Scores:
            return np.bincount(np.searchsorted(known, classes), minlength=len(known)).astype(np.float64)

        f1 = 2 * times(right[named == right]) / (times(named[named != NO_CLASS]) + times(right))
        return float(f1.mean())

    def _number(self, folded: str) -> float:
        """The place among the classes; without a list 48 bits of the SHA-256 of the name.

        The same in every process, so that rows of a resumed run fit together, and exact as a float64.
        """
        known = [fold(name) for name in self.settings.classes]
        if folded in known:
            return float(known.index(folded))
        return float(int.from_bytes(hashlib.sha256(folded.encode("utf-8", "surrogatepass")).digest()[:6]))


def create(settings: Settings) -> MacroF1:
    """The metric."""
    return MacroF1(settings)
