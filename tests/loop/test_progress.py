"""How far work is: the rate is of what was new, whatever was known between."""

from __future__ import annotations

import time

import pytest

from gatewheel.loop.progress import Notes, Progress


def test_what_is_known_in_between_tells_nothing_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = 0.0, list[Progress]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    notes = Notes("judge", 202, told.append)
    assert told[-1].left is None
    for _ in range(100):
        now += 3.0
        notes.take()
    now += 50.0
    notes.take(known=True)
    assert (told[-1].rate, told[-1].left) == (pytest.approx(1 / 3), pytest.approx(303))
    now += 3.0
    notes.take()
    assert (told[-1].rate, told[-1].left) == (pytest.approx(1 / 3), pytest.approx(300))
    now += 101 * 3.0
    notes.tell()
    assert told[-1].rate == pytest.approx(1 / 6), "waiting for the next one takes time too"
