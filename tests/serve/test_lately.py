"""What was worked out lately is there at once, within bounds, and a failure is not remembered."""

from __future__ import annotations

import pytest

from gatewheel.serve.lately import Lately


def test_the_last_values_are_held_and_the_one_asked_for_longest_ago_goes() -> None:
    lately, made = Lately(2), []

    def value(key: str) -> str:
        return lately.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [value(key) for key in "abaacb"] == ["A", "B", "A", "A", "C", "B"]
    assert made == ["a", "b", "c", "b"]
    assert len(lately) == 2


def test_what_failed_is_tried_again() -> None:
    lately = Lately(2)
    with pytest.raises(ZeroDivisionError):
        lately.get("a", lambda: 1 / 0)
    assert lately.get("a", lambda: 3) == 3
