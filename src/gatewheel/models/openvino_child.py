"""The process that writes several texts at once with OpenVINO: tokens in, tokens out, over a socket that it inherits.

It is a process of its own because a step of the pipeline, up to a second long while prompts are read, holds the
interpreter's lock: a server beside it would stand still. It ends when the socket does.

To it: {"id", "prompt": tokens, "wish": Wish} or {"cancel": id}. From it: {"ready": true} or {"broken": why}, then after
each step {"written": [[id, tokens, finish], …]} with finish "" until the last, "stop" or "length", and at any time
{"failed": id, "what": why, "retryable": …}.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gatewheel.models.conversion import properties
from gatewheel.models.openvino_wish import Wish, configuration, first_line

# Tokens of prompts between two tokens of the answers under way. 128 took a quarter more time for 40 questions with
# passages, 512 hardly less, and whoever is being answered waits as much longer for the next token.
_BATCH = 256
_BROKEN = "the engine had to be started anew, and this answer could not be taken up where it was"


@dataclass(kw_only=True, slots=True)
class UnderWay:
    """A request under way. `again` are tokens that were told already and have to come once more."""

    id: int
    prompt: list[int]
    wish: Wish
    handle: Any = None
    written: list[int] = field(default_factory=list)
    again: deque[int] = field(default_factory=deque)

    @property
    def schema(self) -> str | None:
        return self.wish["schema"]


def main(descriptor: str, told: str) -> None:
    """Serve the socket `descriptor` with the pipeline that the JSON `told` describes, until it is closed."""
    connection = Connection(int(descriptor))
    try:
        desk = Desk(connection, json.loads(told))
    except RuntimeError as error:
        _send(connection, {"broken": first_line(error)})
        return
    _send(connection, {"ready": True})
    with contextlib.suppress(EOFError, OSError):  # nobody is left to write for
        while True:
            desk.take()
            desk.step()


class Desk:
    """The pipeline and the requests that it writes.

    A grammar is compiled when its first token is drawn, and one that cannot be compiled breaks the whole step. So at
    most one schema that has not shown its worth is under way: whose fault it was is then known, and the others go on.
    """

    def __init__(self, connection: Connection, settings: dict[str, Any]) -> None:
        self._connection = connection
        self._settings = settings
        self._pipeline = _pipeline(settings)
        self._under_way: dict[int, UnderWay] = {}
        self._on_trial: UnderWay | None = None
        self._aside: deque[UnderWay] = deque()  # their schemas wait for the one on trial
        self._proven: set[int] = set()  # hashes of schemas
        self._refused: dict[int, str] = {}

    def take(self) -> None:
        """Take what has arrived, waiting only where nothing is under way. Raises EOFError when nobody is left."""
        while not self._under_way or self._connection.poll():
            message = json.loads(self._connection.recv_bytes())
            if "cancel" in message:
                self._cancel(message["cancel"])
            else:
                self._add(UnderWay(**message))

    def step(self) -> None:
        """One token for each request, or a piece of their prompts, and tell what was written."""
        try:
            self._pipeline.step()
        except RuntimeError as error:
            self._begin_anew(first_line(error))
            return
        told = [piece for one in list(self._under_way.values()) if (piece := self._piece(one))]
        _send(self._connection, {"written": told})  # also when nothing was: it says that this process lives

    def _add(self, one: UnderWay) -> None:
        mark = hash(one.schema)
        if one.schema is None or mark in self._proven:
            self._begin(one)
        elif mark in self._refused:
            self._fail(one, self._refused[mark])
        elif self._on_trial is None:
            self._on_trial = one
            self._begin(one)
        else:
            self._aside.append(one)

    def _begin(self, one: UnderWay) -> None:
        goes_on = one.schema is None and one.wish["temperature"] == 0
        if not goes_on:  # a grammar and a generator of chance have to pass through the same states
            one.again = deque(one.written)
        before = one.written if goes_on else []
        try:
            rest = one.wish["max_tokens"] - len(before)
            given = configuration(self._pipeline.get_config(), {**one.wish, "max_tokens": rest})
            one.handle = self._pipeline.add_request(one.id, _tensor(one.prompt + before), given)
        except (RuntimeError, TypeError, ValueError) as error:
            self._fail(one, first_line(error))
        else:
            self._under_way[one.id] = one

    def _cancel(self, number: int) -> None:
        self._aside = deque(one for one in self._aside if one.id != number)
        if one := self._under_way.pop(number, None):
            one.handle.cancel()
            self._judged(one)

    def _piece(self, one: UnderWay) -> tuple[int, list[int], str] | None:
        from openvino_genai import GenerationFinishReason as Reason
        from openvino_genai import GenerationStatus

        tokens, finish = [], ""
        while one.handle.can_read():
            for output in one.handle.read().values():
                tokens += output.generated_ids
                if output.finish_reason != Reason.NONE:
                    finish = "length" if output.finish_reason == Reason.LENGTH else "stop"
        if tokens and one is self._on_trial:
            self._proven.add(hash(one.schema))
            self._judged(one)
        while tokens and one.again:
            if tokens.pop(0) != one.again.popleft():
                one.handle.cancel()
                self._fail(one, _BROKEN, retryable=True)
                return None
        if one.handle.get_status() == GenerationStatus.IGNORED:
            self._fail(one, "there is no memory for the prompt", retryable=True)
            return None
        one.written += tokens
        if finish:
            self._end(one)
        return (one.id, tokens, finish) if tokens or finish else None

    def _begin_anew(self, what: str) -> None:
        """After a step that failed, which leaves a pipeline of no more use."""
        requests, guilty = list(self._under_way.values()), self._on_trial
        self._under_way = {}
        self._pipeline = None  # or there would be two of them in memory
        for one in requests:
            one.handle = None
        self._pipeline = _pipeline(self._settings)
        for one in requests:
            if one is not guilty and guilty is not None:
                self._begin(one)
            elif one is not guilty:
                self._fail(one, what, retryable=True)
        if guilty is not None:
            self._refused[hash(guilty.schema)] = what
            self._fail(guilty, what)

    def _fail(self, one: UnderWay, what: str, *, retryable: bool = False) -> None:
        self._end(one)
        _send(self._connection, {"failed": one.id, "what": what, "retryable": retryable})

    def _end(self, one: UnderWay) -> None:
        self._under_way.pop(one.id, None)
        self._judged(one)

    def _judged(self, one: UnderWay) -> None:
        """Whatever came of it, the request is on trial no more: the next ones may be."""
        if one is self._on_trial:
            self._on_trial, waiting, self._aside = None, self._aside, deque()
            for next_one in waiting:
                self._add(next_one)


def _pipeline(settings: dict[str, Any]) -> Any:
    from openvino_genai import ContinuousBatchingPipeline, SchedulerConfig

    scheduling = SchedulerConfig()  # without a size the cache grows as it is needed
    scheduling.max_num_seqs = settings["parallel"]
    scheduling.max_num_batched_tokens = _BATCH
    scheduling.dynamic_split_fuse = True  # prompts are read in pieces, beside the answers that are written
    scheduling.enable_prefix_caching = settings["prompt_cache"]
    folder = Path(settings["folder"])
    options = properties(folder, threads=settings["threads"], precise=settings["exact"])
    return ContinuousBatchingPipeline(str(folder), scheduling, "CPU", options)


def _tensor(tokens: list[int]) -> Any:
    import numpy as np
    from openvino import Tensor

    return Tensor(np.array([tokens], np.int64))


def _send(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
