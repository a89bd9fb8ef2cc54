"""Stop strings are found wherever the pieces are cut, and an engine's thread ends with its caller."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.models.stream import Emit, Writer, drive

ALPHABET = st.text("ab|", max_size=12)


@given(st.lists(ALPHABET, max_size=8), st.lists(st.text("ab|", min_size=1, max_size=4), max_size=3))
def test_pieces_may_be_cut_anywhere(pieces: list[str], stop: list[str]) -> None:
    streamed: list[str] = []
    writer = Writer(on_text=streamed.append, stop=stop)
    for piece in pieces:
        if writer.feed(piece):
            break
    writer.finish()
    whole = "".join(pieces)
    # the text ends where a stop string is first complete, and there at the one that began first
    ends = [at + len(mark) for mark in stop if (at := whole.find(mark)) >= 0]
    assert "".join(streamed) == writer.text
    assert whole.startswith(writer.text)
    assert not any(mark in writer.text for mark in stop)
    assert bool(writer.stopped_by) == bool(ends)
    if not ends:
        assert writer.text == whole


def test_what_an_engine_raises_is_raised_to_the_caller() -> None:
    def broken(emit: Emit) -> None:
        emit("a")
        raise ValueError("engine fault")

    with pytest.raises(ValueError, match="engine fault"):
        drive(broken, receive=lambda _: False)


def test_pieces_are_received_in_the_caller_s_thread_and_stop_at_its_word() -> None:
    threads: list[threading.Thread] = []

    def engine(emit: Emit) -> int:
        return next(n for n in range(1, 100) if emit("x"))

    def receive(_: str) -> bool:
        threads.append(threading.current_thread())
        return len(threads) == 3

    assert drive(engine, receive=receive) == 3
    assert set(threads) == {threading.current_thread()}


def test_a_fault_in_the_caller_ends_the_engine() -> None:
    ended = threading.Event()

    def engine(emit: Emit) -> None:
        while not emit("x"):
            pass
        ended.set()

    def receive(_: str) -> bool:
        raise RuntimeError("caller fault")

    with pytest.raises(RuntimeError, match="caller fault"):
        drive(engine, receive=receive)
    assert ended.wait(5)
