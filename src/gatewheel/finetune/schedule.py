"""The learning rate of each step: a linear rise, then a cosine, a line, or nothing more."""

from __future__ import annotations

import math
from typing import Literal


def share(step: int, *, steps: int, warmup: int, kind: Literal["cosine", "linear", "constant"]) -> float:
    """What the highest rate is multiplied by at `step`, counted from 0; never 0: such a step would learn nothing.

    The rise has `warmup` steps. A cosine or line would reach 0 at `steps`, the one after the last.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if kind == "linear" else 1.0
