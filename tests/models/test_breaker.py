"""A breaker opens after failures in a row, rests, and lets one call find out."""

from __future__ import annotations

import pytest

from gatewheel.models.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=2, cooldown=10, clock=clock)


def opened(breaker: Breaker) -> Breaker:
    for _ in range(2):
        assert breaker.admits()
        breaker.failed()
    return breaker


def test_only_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(5):
        assert breaker.admits()
        breaker.failed()
        assert breaker.admits()
        breaker.succeeded()
    assert not opened(breaker).admits()


def test_after_the_rest_one_call_is_tried_and_decides(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now = 9.9
    assert not breaker.admits()
    assert breaker.seconds_left == pytest.approx(0.1)
    clock.now = 10
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert not breaker.admits()
    assert breaker.seconds_left == 10
    clock.now = 20
    assert breaker.admits()
    breaker.succeeded()
    assert all(breaker.admits() for _ in range(3))


def test_a_trial_that_its_caller_gave_up_leaves_the_trial_to_the_next(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.now = 10
    assert breaker.admits()
    breaker.withdrew()
    assert [breaker.admits() for _ in range(2)] == [True, False]


def test_calls_that_began_before_it_opened_do_not_prolong_a_trial(breaker: Breaker, clock: Clock) -> None:
    assert all(breaker.admits() for _ in range(3))
    breaker.failed()
    breaker.failed()
    assert not breaker.admits()
    clock.now = 3
    breaker.succeeded()  # the third call was slow, and it got its answer
    assert breaker.admits()
