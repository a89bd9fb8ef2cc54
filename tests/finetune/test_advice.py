"""What the curves of a tuning ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatewheel.finetune.advice import advise, meanwhile
from gatewheel.finetune.method import Point


def curves(*validation: float) -> list[Point]:
    found = []
    for step, loss in enumerate(validation):
        found += [
            Point(phase="learning", step=step, loss=1 / (step + 1), learning_rate=1 / (step + 1)),
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
        ((11.2, 7.0, 5.3, 3.9, 3.3, 3.15), False, "fell until the learning rate did: raise epochs"),
        ((2.0, 0.8, 1.0, 0.81), True, "falls again after it rose since step 1: raise patience"),
        ((8.4, 0.3, 0.009, 0.0104), False, "levelled off"),
        ((), False, "keep some back"),
    ],
)
def test_the_advice_fits_the_curves(looks: tuple[float, ...], early: bool, said: str) -> None:
    import re

    assert re.search(said, advise(curves(*looks), early=early))


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ((2.0,), "^$"),
        ((2.0, 2.1), "not fallen yet.*cancel and lower"),
        ((2.0, 1.0, 0.5), "let it run"),
        ((2.0, 1.0, 0.8, 0.799), "stop and keep loses little"),
        ((2.0, 1.0, 1.5), "rises since step 1 .*stop and keep gives the adapter of step 1"),
    ],
)
def test_who_watches_is_told_what_to_do_meanwhile(looks: tuple[float, ...], said: str) -> None:
    import re

    assert re.search(said, meanwhile(curves(*looks)))


def test_with_a_rate_that_stays_a_small_fall_is_no_end_of_the_schedule() -> None:
    points = [replace(point, learning_rate=1.0) for point in curves(11.2, 7.0, 5.3, 3.9, 3.3, 3.15)]
    assert "levelled off" in advise(points, early=False)


def test_losses_that_both_rise_are_no_memorising() -> None:
    points = [replace(point, loss=float(point.step)) if point.loss else point for point in curves(2.0, 1.0, 1.5)]
    assert "both losses rise" in meanwhile(points)
    assert "lower learning_rate" in advise(points, early=True)
