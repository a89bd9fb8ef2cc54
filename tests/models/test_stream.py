"""Stop strings are found wherever the pieces are cut, and an engine's thread ends with its caller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_outside_of_the_main_thread_an_engine_needs_no_thread_of_its_own() -> None:
    def engine(emit: Emit) -> tuple[int, threading.Thread]:
        return next(n for n in range(1, 100) if emit("x")), threading.current_thread()

    def call() -> tuple[int, threading.Thread]:
        heard: list[str] = []

        def receive(piece: str) -> bool:
            heard.append(piece)
            return len(heard) == 3

        return drive(engine, receive=receive)

    with ThreadPoolExecutor(1) as pool:
        count, thread = pool.submit(call).result()
        assert thread is pool.submit(threading.current_thread).result()
    assert count == 3


@pytest.mark.parametrize("swallows", [True, False])
def test_there_a_fault_in_the_caller_ends_the_engine_first(swallows: bool) -> None:
    ended = threading.Event()

    def engine(emit: Emit) -> None:
        while not emit("x"):
            pass
        ended.set()
        if not swallows:
            raise ValueError("stopped in the middle")

    def receive(_: str) -> bool:
        raise RuntimeError("no room")

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="no room"):
        pool.submit(drive, engine, receive=receive).result()
    assert ended.is_set()


def test_an_empty_piece_asks_whether_to_go_on() -> None:
    heard: list[str] = []

    def leaves(piece: str) -> bool:
        heard.append(piece)
        return True

    writer = Writer(on_text=leaves, stop=())
    assert writer.feed("")
    assert (writer.stopped_by, heard, writer.seconds_to_first) == ("cancelled", [""], 0.0)
