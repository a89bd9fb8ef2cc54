"""Several answers at once by OpenVINO's continuous batching, in a process of its own (openvino_child.py)."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Pipe
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.openvino_wish import Wish
from gatewheel.models.stream import Emit

CHILD = "gatewheel.models.openvino_child"
_LOOK = 0.25  # seconds between two looks at whether the caller still waits, while there is nothing to pass on
_START = 180.0  # seconds to load the weights, of which compiling them for the first time takes most
_HUNG = 300.0  # seconds without a word while somebody waits: a step takes one, on a busy machine ten
_END = 10.0  # seconds that the process may take to end
Piece = tuple[list[int], str]
Told = Callable[[], Piece]
"""Gives what was written, or raises why there is no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batching:
    """What the process is to load and how. All of it is the engine's settings, but for the folder of the weights."""

    folder: Path
    threads: int
    parallel: int
    prompt_cache: bool
    exact: bool


class Batch:
    """The process and who waits for it. It is started again by the next request after it ended. Any thread may call."""

    def __init__(self, batching: Batching, tokenizer: Any) -> None:
        """Start the process. Raises ModelError when it cannot load the weights."""
        self._batching = batching
        self._tokenizer = tokenizer
        self._places = threading.BoundedSemaphore(batching.parallel)
        self._starting, self._closing = threading.Lock(), threading.Lock()
        self._numbers = itertools.count()
        self._open = True
        self._child = self._start()

    @property
    def parallel(self) -> int:
        return self._batching.parallel

    def write(self, tokens: Any, wished: Wish, emit: Emit) -> tuple[int, str]:
        """Continue the tokens that the tokenizer made; how many were written, and what ended it: stop or length."""
        from openvino_genai import StreamingStatus, TextStreamer

        def take(piece: str) -> Any:
            return StreamingStatus.STOP if emit(piece) else StreamingStatus.RUNNING

        text, count, finish = TextStreamer(self._tokenizer, take), 0, ""
        with self._places:
            child, number = self._alive(), next(self._numbers)
            pieces = child.ask({"id": number, "prompt": tokens.input_ids.data[0].tolist(), "wish": wished})
            try:
                while not finish and (piece := _next(pieces, child, emit)) is not None:
                    written, finish = piece
                    count += len(written)
                    if written and text.write(written) != StreamingStatus.RUNNING:
                        break
            finally:
                child.forget(number, under_way=not finish)
        text.end()
        return count, finish or "stop"

    def close(self) -> None:
        """End the process when the answers under way have been written; later ones are refused."""
        with self._starting:
            self._open = False
        with self._closing:  # or two who close would each hold some of the places for ever
            for _ in range(self.parallel):
                self._places.acquire()
            self._child.end()
            self._places.release(self.parallel)

    def _alive(self) -> _Child:
        with self._starting:
            if not self._open:
                raise ModelError("the model is closed", cure="make a new one")
            if self._child.ended:
                self._child = self._start()
            return self._child

    def _start(self) -> _Child:
        child = _started(self._batching)
        weakref.finalize(self, child.end)  # for whoever forgets to close it
        return child


def _started(batching: Batching) -> _Child:
    """A process that has its weights. A compiled form that was cut short kills whoever maps it, so it is made again."""
    with contextlib.suppress(ModelError):
        return _Child(batching)
    shutil.rmtree(batching.folder / "compiled", ignore_errors=True)
    return _Child(batching)


class _Child:
    """One process, from its start to its end."""

    def __init__(self, batching: Batching) -> None:
        self._connection, theirs = Pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the process may say something
        with theirs:
            self._process = subprocess.Popen(
                # -P, or modules that lie in the current folder would be executed
                [sys.executable, "-P", "-m", CHILD, str(theirs.fileno()), json.dumps(asdict(batching), default=str)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,  # Ctrl-C is for this process
            )
        self._sending, self._changing = threading.Lock(), threading.Lock()
        self._waiting: dict[int, SimpleQueue[Told]] = {}
        self.ended = False
        self.heard = time.monotonic()
        first = (self._received() if self._connection.poll(_START) else None) or {}
        if "ready" not in first:
            why = first.get("broken") or self._why()
            self._let_go()
            what = f"OpenVINO cannot load the weights in {batching.folder}: {why}"
            cure = "lower `parallel` where memory is short; delete that folder where it is damaged: it is made again"
            raise ModelError(what, cure=cure, retryable=True)
        threading.Thread(target=self._listen, name="openvino", daemon=True).start()

    def ask(self, request: dict[str, Any]) -> SimpleQueue[Told]:
        """What tells the pieces of its answer, or why there are no more, as they come."""
        pieces: SimpleQueue[Told] = SimpleQueue()
        self.heard = time.monotonic()
        with self._changing:
            self._waiting[request["id"]] = pieces
            if self.ended:
                pieces.put(_raising(self._gone(), retryable=True))
        self._send(request)
        return pieces

    def forget(self, number: int, *, under_way: bool) -> None:
        """Nobody waits for this request any more."""
        with self._changing:
            self._waiting.pop(number, None)
        if under_way:
            self._send({"cancel": number})

    def end(self) -> None:
        """End the process; whoever waits for it is told."""
        self._process.terminate()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        while (message := self._received()) is not None:
            self.heard = time.monotonic()
            with self._changing:
                waiting = dict(self._waiting)
            if "failed" in message and (pieces := waiting.get(message["failed"])):
                pieces.put(_raising(f"OpenVINO refused: {message['what']}", retryable=message["retryable"]))
            for number, tokens, finish in message.get("written", ()):
                if pieces := waiting.get(number):
                    pieces.put(_giving(tokens, finish))
        gone = self._gone()
        with self._changing:
            self.ended = True
            for pieces in self._waiting.values():
                pieces.put(_raising(gone, retryable=True))
        self._let_go()

    def _let_go(self) -> None:
        self._said.close()
        with self._sending:  # or what is being sent would go into a file that was opened in its place
            self._connection.close()

    def _received(self) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            return None
        return message

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # that it has ended is told by who listens
            self._connection.send_bytes(json.dumps(message).encode())

    def _gone(self) -> str:
        return f"the process that writes with OpenVINO ended ({self._why()})"

    def _why(self) -> str:
        """How it ended, which it does now if it has not yet, with its last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # the socket closes before the process has ended
        self.end()
        code = self._process.returncode
        if code < 0:
            return f"signal {-code}"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"code {code}: {lines[-1][:300]}" if lines else f"code {code}"


def _next(pieces: SimpleQueue[Told], child: _Child, emit: Emit) -> Piece | None:
    """The next piece, or None when the caller has left, which is asked while there is none. Raises what ended it."""
    while True:
        with contextlib.suppress(Empty):
            return pieces.get(timeout=_LOOK)()
        if emit(""):
            return None
        if time.monotonic() - child.heard > _HUNG:
            child.end()


def _giving(tokens: list[int], finish: str) -> Told:
    return lambda: (tokens, finish)


def _raising(what: str, *, retryable: bool) -> Told:
    cure = "ask again; lower `parallel` or `context_length` where memory was short" if retryable else ""

    def told() -> Piece:
        raise ModelError(what, cure=cure, retryable=retryable)

    return told
