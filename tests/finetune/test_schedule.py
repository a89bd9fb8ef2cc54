"""The learning rate of each step."""

from __future__ import annotations

import pytest

from gatewheel.finetune.schedule import share


def test_it_rises_evenly_and_then_falls_along_half_a_cosine() -> None:
    rates = [share(step, steps=10, warmup=2, kind="cosine") for step in range(10)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[6] == pytest.approx(0.5)
    assert rates[9] == pytest.approx(0.0380602)
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_a_line_falls_evenly_and_a_constant_stays() -> None:
    assert [share(step, steps=4, warmup=0, kind="linear") for step in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert {share(step, steps=4, warmup=0, kind="constant") for step in range(4)} == {1.0}


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_no_step_is_lost(kind: str) -> None:
    for steps, warmup in ((1, 0), (1, 1), (2, 1), (7, 7)):
        assert all(0 < share(step, steps=steps, warmup=warmup, kind=kind) <= 1 for step in range(steps))  # type: ignore[arg-type]
