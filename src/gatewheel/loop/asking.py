"""Asks a target what it has not answered yet, several cases at once, and keeps each answer as soon as it is there.

A case that fails is one error. Only what would fail every case ends the asking: the store, a part that is missing, an
endpoint that answers nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.errors import ConfigError, MissingPart, ModelError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.loop import answers
from gatewheel.loop.answers import Key
from gatewheel.loop.recording import told
from gatewheel.loop.targets import Target

LOOK = 0.2  # seconds between two looks at whether to go on
PATIENCE = 20  # failures in a row that are no case's fault, after which nobody is taken to be there


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A case that is asked the `repeat`-th time."""

    case: Case
    repeat: int
    key: Key


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer, or why there is none. `known` says that it was there before."""

    job: Job
    answer: Answer | None
    error: str = ""
    known: bool = False


def replies(engine: Engine, target: Target, jobs: Sequence[Job], *, look: Callable[[], None]) -> Generator[Reply]:
    """A reply for each job: those that are known in their order, then the others as they come.

    `look` is called after each that is known, and several times a second while one waits; what it raises ends the
    asking. Raises ModelError when an endpoint answers nobody, ConfigError, MissingPart, and what the store raises. What
    was answered until then stays.
    """
    alike: dict[Key, list[Job]] = {}  # cases may ask the same and expect something else
    for job in jobs:
        alike.setdefault(job.key, []).append(job)
    known = answers.known(engine, target.variant) & alike.keys()
    for key in (key for key in alike if key in known):
        found = answers.get(engine, key)
        yield from (Reply(job=job, answer=found, known=True) for job in alike[key])
        look()  # a judge may have taken its time over them
    waiting = deque(group for key, group in alike.items() if key not in known)
    stopped = threading.Event()
    pool = ThreadPoolExecutor(target.parallel, thread_name_prefix="evaluate")
    try:
        yield from _asked(engine, _Asking(engine, pool, target, stopped), waiting, look)
    finally:
        stopped.set()  # what is being written ends at its next word
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Asking:
    engine: Engine
    pool: ThreadPoolExecutor
    target: Target
    stopped: threading.Event

    def begin(self, job: Job) -> Future[Answer]:
        return self.pool.submit(self._ask, job)

    def _ask(self, job: Job) -> Answer:
        """Keeps what is whole at once, in the same thread: the others may be busy with scoring."""
        answer = self.target.ask(job.case, job.repeat, lambda _: self.stopped.is_set())
        if self.stopped.is_set():
            return answer
        return answers.keep(self.engine, job.key, answer) or answer  # another process may have been the first


def _asked(engine: Engine, asking: _Asking, waiting: deque[list[Job]], look: Callable[[], None]) -> Iterator[Reply]:
    patience = Patience(max(PATIENCE, 2 * asking.target.parallel))
    running: dict[Future[Answer], list[Job]] = {}
    while waiting or running:
        while waiting and len(running) < 2 * asking.target.parallel:  # nobody is idle while answers are scored
            group = waiting.popleft()
            running[asking.begin(group[0])] = group
        done, _ = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED)
        for future in done:
            group, error = running.pop(future), future.exception()
            patience.heed(error)
            answer, reason = None if error else future.result(), told(error) if error else ""
            if error:
                answer = answers.keep(engine, group[0].key, None, error=reason)
                reason = "" if answer else reason  # another process was answered meanwhile
            yield from (Reply(job=job, answer=answer, error=reason) for job in group)
        look()


class Patience:
    """Counts failures in a row that were not the question's fault. `doing` is what was tried, as "answered"."""

    def __init__(self, limit: int = PATIENCE, *, doing: str = "answered") -> None:
        self._limit = limit
        self._doing = doing
        self._failures = 0

    def heed(self, error: BaseException | None) -> None:
        """Raises what would end every case the same way."""
        if isinstance(error, DBAPIError | ConfigError | MissingPart):
            raise error
        self._failures = self._failures + 1 if isinstance(error, ModelError) and error.retryable else 0
        if self._failures >= self._limit:
            assert isinstance(error, ModelError)
            raise ModelError(
                f"none of the last {self._failures} cases was {self._doing}: {error.what}",
                cure="what was answered stays; see to the endpoint, then run it again",
                retryable=True,
            )
