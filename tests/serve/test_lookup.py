"""A look that takes long is made once, whoever asks and whenever: also when it ends between two questions."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from gatewheel.serve.lookup import Lookup


class Work:
    """Counts how often it is made; ends when it may."""

    def __init__(self) -> None:
        self.may, self.made = threading.Event(), 0

    def __call__(self) -> int:
        self.made += 1
        assert self.may.wait(30)
        return self.made


def looked(of: Any, *, hold: float = 60.0) -> Any:
    async def inside() -> Any:
        lookup = Lookup(1, hold=hold)
        try:
            return await of(lookup)
        finally:
            lookup.close()

    return asyncio.run(inside())


def test_what_ended_between_two_questions_is_had_by_the_next_one_and_then_made_anew() -> None:
    work = Work()

    async def of(lookup: Lookup) -> list[int | None]:
        first = await lookup.get("a", work, seconds=0.01)
        work.may.set()
        await lookup.get("b", lambda: None)  # the one thread is free again: it ended, and nobody waited
        return [first, await lookup.get("a", work, seconds=30), await lookup.get("a", work, seconds=30)]

    assert looked(of) == [None, 1, 2]


def test_what_nobody_fetched_is_not_held_for_ever() -> None:
    work = Work()

    async def of(lookup: Lookup) -> int | None:
        await lookup.get("a", work, seconds=0.01)
        work.may.set()
        await lookup.get("b", lambda: None)
        await asyncio.sleep(0.1)
        return await lookup.get("a", work, seconds=30)

    assert looked(of, hold=0.01) == 2


def test_all_who_wait_have_what_was_found_or_its_error() -> None:
    work = Work()

    def fails() -> None:
        raise ValueError("no")

    async def of(lookup: Lookup) -> list[int | None]:
        asked = [asyncio.ensure_future(lookup.get("a", work)) for _ in range(3)]
        await asyncio.sleep(0)
        work.may.set()
        found = list(await asyncio.gather(*asked))
        with pytest.raises(ValueError, match="no"):
            await lookup.get("f", fails)
        return found

    assert looked(of) == [1, 1, 1]
