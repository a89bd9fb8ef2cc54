"""US dollars that an answer cost."""

from __future__ import annotations

import math
from collections.abc import Callable

from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case, Usage

Prices = tuple[float, float]
"""US dollars per million tokens that a model reads, and that it writes."""


def create(_settings: Settings, *, prices: Callable[[str], Prices | None] = lambda _: None) -> Mean:
    """The metric. `prices` are those of the model of a variant; None takes what was noted with the answer."""

    def cost(_case: Case, answer: Answer) -> float | None:
        return dollars(answer.usage, prices(answer.variant))

    return Mean(cost, better="lower", bounds=(0.0, math.inf))


def dollars(usage: Usage, prices: Prices | None) -> float | None:
    """What a call costs at these prices, or without them as it was noted: 0 where no model was called, None unknown."""
    if not (usage.seconds or usage.input_tokens or usage.output_tokens):
        return 0.0
    if prices is None:
        return None if usage.cost is None else float(usage.cost)
    if not (usage.input_tokens or usage.output_tokens) and any(prices):  # some endpoints count nothing
        return None
    return (usage.input_tokens * prices[0] + usage.output_tokens * prices[1]) / 1e6
