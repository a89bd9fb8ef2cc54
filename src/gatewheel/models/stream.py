"""Text as it is written: stop strings held back, the caller asked after every piece, Ctrl-C heard at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from gatewheel.kernel.ports import OnText

T = TypeVar("T")
Emit = Callable[[str], bool]
"""Takes a piece of text from an engine and answers whether the engine is to stop."""


class Writer:
    """Collects the pieces of one completion and passes them on, except what is or may become a stop string."""

    def __init__(self, *, on_text: OnText | None, stop: Sequence[str]) -> None:
        self.text = ""
        self.stopped_by = ""  # "stop" after a stop string, "cancelled" when on_text said so
        self.seconds_to_first = 0.0
        self._on_text = on_text
        self._stop = tuple(filter(None, stop))
        self._held = ""
        self._started = time.perf_counter()

    def feed(self, piece: str) -> bool:
        """Take a piece; True when the engine is to stop."""
        if self.stopped_by:
            return True
        if piece and not self.seconds_to_first:
            self.seconds_to_first = time.perf_counter() - self._started
        pending = self._held + piece
        if found := [at for mark in self._stop if (at := pending.find(mark)) >= 0]:
            self._held = ""
            self._pass_on(pending[: min(found)])
            self.stopped_by = self.stopped_by or "stop"
            return True
        keep = self._could_begin_a_stop(pending)
        self._held = pending[len(pending) - keep :]
        self._pass_on(pending[: len(pending) - keep])
        return bool(self.stopped_by)

    def finish(self) -> None:
        """The engine has ended: what was held back was no stop string after all."""
        held, self._held = self._held, ""
        if held and not self.stopped_by:
            self._pass_on(held)

    def _could_begin_a_stop(self, text: str) -> int:
        longest = max((len(mark) for mark in self._stop), default=0)
        for length in range(min(longest - 1, len(text)), 0, -1):
            if any(mark.startswith(text[-length:]) for mark in self._stop):
                return length
        return 0

    def _pass_on(self, text: str) -> None:
        self.text += text
        # also without text: while a prompt is read or a stop string is held back, the caller may have left
        if self._on_text is not None and self._on_text(text):
            self.stopped_by = "cancelled"


def drive(write: Callable[[Emit], T], *, receive: Callable[[str], bool]) -> T:
    """Run an engine's blocking call and receive its pieces in this thread; returns what the call returns.

    Engines hold the calling thread inside C++ code, where Python hears no signal. The main thread, the only one that
    signals reach, therefore lets another thread call the engine and waits on a queue, so that Ctrl-C is heard during a
    prefill of seconds. The hand-over is synchronous: nothing is received beyond the piece at which `receive` says stop.
    What `write` or `receive` raises is raised here.
    """
    if threading.current_thread() is threading.main_thread():
        return _drive_apart(write, receive)
    return _drive_here(write, receive)


def _drive_here(write: Callable[[Emit], T], receive: Callable[[str], bool]) -> T:
    """In the same thread; what `receive` raises is kept until the engine has ended, for it may not cross its frames."""
    failure: BaseException | None = None

    def emit(piece: str) -> bool:
        nonlocal failure
        try:
            return failure is not None or receive(piece)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = error
            return True

    try:
        return write(emit)
    finally:
        if failure is not None:
            raise failure


def _drive_apart(write: Callable[[Emit], T], receive: Callable[[str], bool]) -> T:
    """In a thread of its own, of which this one only hears."""
    pieces: SimpleQueue[str | None] = SimpleQueue()
    verdicts: SimpleQueue[bool] = SimpleQueue()
    abandoned = threading.Event()
    outcome: Future[T] = Future()

    def emit(piece: str) -> bool:
        if abandoned.is_set():
            return True
        pieces.put(piece)
        return verdicts.get()

    def work() -> None:
        try:
            outcome.set_result(write(emit))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread whole
            outcome.set_exception(error)
        finally:
            pieces.put(None)

    thread = threading.Thread(target=work, name="gatewheel-model", daemon=True)
    thread.start()
    try:
        while (piece := pieces.get()) is not None:
            verdicts.put(receive(piece))
    except BaseException:
        abandoned.set()
        verdicts.put(True)
        thread.join(timeout=2.0)  # some engines cannot be stopped in a prefill; the thread ends by itself after it
        raise
    return outcome.result()
