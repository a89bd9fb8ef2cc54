"""What the curves of a tuning ask for."""

from __future__ import annotations

import pytest

from gatewheel.finetune.advice import advise
from gatewheel.finetune.method import Point


def curves(*validation: float) -> list[Point]:
    found = []
    for step, loss in enumerate(validation):
        found += [
            Point(phase="learning", step=step, loss=1 / (step + 1)),
            Point(phase="looking", step=step, validation=loss),
        ]
    return found


@pytest.mark.parametrize(
    ("looks", "early", "said"),
    [
        ((2.0, 1.0, 0.8, 0.9), True, "rises since step 2 .*stopped at the best step"),
        ((2.0, 1.0, 0.8, 0.9), False, "the adapter is that of the best step"),
        ((2.0, 2.1, 2.2), False, "lower learning_rate"),
        ((2.0, 1.6, 1.2, 0.8), False, "raise epochs"),
        ((2.0, 1.0, 0.8, 0.799), False, "levelled off"),
        ((), False, "keep some back"),
    ],
)
def test_the_advice_fits_the_curves(looks: tuple[float, ...], early: bool, said: str) -> None:
    import re

    assert re.search(said, advise(curves(*looks), early=early))
