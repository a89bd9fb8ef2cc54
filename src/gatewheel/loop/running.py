"""Long work as a Run: queued in the project's ledger, executed durably in a child process, watched from here."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel import durable, runs
from gatewheel.kernel.errors import GatewheelError, UserError

if TYPE_CHECKING:
    from gatewheel.loop import calibrating, drafting, improving, tuning
    from gatewheel.loop.evaluate import Wanted
    from gatewheel.loop.gating import Asked
    from gatewheel.loop.project import Project

WORKER = "gatewheel.loop.worker"
Watch = Callable[[Mapping[str, Any]], None]
STOPPED = "the service was stopped"
PAUSED = "it was paused"
STOPPED_BEFORE = f"{STOPPED} before its turn came"
log = logging.getLogger("gatewheel.runs")


def ingest(
    project: Project,
    paths: Sequence[str] = (),
    *,
    fields: Mapping[str, str] | None = None,
    on_progress: Watch | None = None,
) -> dict[str, Any]:
    """Ingest as a Run and return its result. Relative paths are meant from the current folder.

    Raises Cancelled on Ctrl-C; UserError as the work itself does.
    """
    settings = _ingesting([_absolute(path) for path in paths], fields)
    return watch(project, _queue(project, "ingest", settings), on_progress=on_progress)


def evaluate(project: Project, wanted: Sequence[Wanted], *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Evaluate as a Run, one target after another, and return its result: the ids of the `reports`.

    Raises Cancelled on Ctrl-C; UserError as the work itself does.
    """
    settings = {"wanted": [asdict(one) for one in wanted]}
    return watch(project, _queue(project, "evaluate", settings), on_progress=on_progress)


def gate(project: Project, asked: Asked, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Let a gate decide as a Run and return its result, which `gating.decided_of` reads.

    Raises Cancelled on Ctrl-C; UserError as the work itself does.
    """
    return watch(project, _queue(project, "gate", asdict(asked)), on_progress=on_progress)


def judge(project: Project, name: str, *, again: bool = False, on_progress: Watch | None = None) -> dict[str, Any]:
    """Measure a judge as a Run and return its result, which `probation.of_result` reads.

    Raises ConfigError for what is no judge, Cancelled on Ctrl-C; UserError as the work itself does.
    """
    from gatewheel.loop import probation

    probation.settings_of(project.config, name)
    settings = {"name": name, "again": again, "began": time.time()}
    return watch(project, _queue(project, "judge", settings), on_progress=on_progress)


def prefer(project: Project, name: str, a: str, b: str, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Let a judge compare two reports as a Run and return its result: what it prefers, and the ids of `a` and `b`.

    Raises ConfigError and UserError for what cannot be compared, Cancelled on Ctrl-C; UserError as the work does.
    """
    from gatewheel.loop import preferring

    ids = [kept.report.id for kept in preferring.reports_of(project.parts, name, a, b)]
    settings = dict(zip(("name", "a", "b"), (name, *ids), strict=True))
    return watch(project, _queue(project, "prefer", settings), on_progress=on_progress)


def generate(project: Project, wanted: drafting.Wanted, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Draft cases as a Run and return its result: the ids of the `drafts`.

    Raises ConfigError for a model that there is not, Cancelled on Ctrl-C; UserError as the work itself does.
    """
    project.config.table("model", wanted.model)
    return watch(project, _queue(project, "generate", asdict(wanted)), on_progress=on_progress)


def calibrate(
    project: Project, wanted: calibrating.Wanted, to: str, *, on_progress: Watch | None = None
) -> dict[str, Any]:
    """Calibrate signals as a Run and return its result, which `calibrating.of_result` reads.

    `to` is a file of the project. Raises Cancelled on Ctrl-C; UserError as the work itself does.
    """
    file = _absolute(str(wanted.file)) if wanted.file else ""
    settings = {"wanted": {**asdict(wanted), "file": file}, "to": to}
    return watch(project, _queue(project, "calibrate", settings), on_progress=on_progress)


def finetune(project: Project, wanted: tuning.Wanted, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Tune as a Run and return its result, which `tuning.of_result` reads.

    Raises what `tuning.refuse_unknown` raises, Cancelled on Ctrl-C; UserError as the work itself does.
    """
    from gatewheel.loop import tuning

    tuning.refuse_unknown(project.parts, wanted)
    return watch(project, _queue(project, "finetune", asdict(wanted)), on_progress=on_progress)


def improve(project: Project, wanted: improving.Wanted, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Turn the wheel once as a Run and return its result, which `improving.of_result` reads.

    Raises what `improving.settled` raises, Cancelled on Ctrl-C; UserError as the work itself does.
    """
    from gatewheel.loop import improving

    settled = improving.settled(project.parts, wanted)
    return watch(project, _queue(project, "improve", asdict(settled)), on_progress=on_progress)


def watch(project: Project, id_: str, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Execute a queued, cancelled, failed or interrupted run to its end and return its result.

    Raises Cancelled on Ctrl-C; UserError as the work itself does, and when the run is done or another executes it.
    """
    run = durable.perform(project.parts.engine, id_, root=project.config.root, worker=WORKER, on_progress=on_progress)
    result: dict[str, Any] = run.result
    return result


class Background:
    """Runs of a process that lives long, one after another in a thread of its own. Any thread may call it.

    What an earlier process left behind is not taken up by itself, for it may cost money and the file may say something
    else by now: it shows as interrupted until somebody resumes it. Only jobs of the tuning API are: see taking_up.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._called_off: set[str] = set()
        self._cancelling: set[str] = set()
        self._at_work: runs.Run | None = None
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()

    def ingest(self, paths: Sequence[str] = ()) -> str:
        """Queue an ingest of what [sources] names, or of paths relative to the project, and return its run."""
        settings = _ingesting([str(self._project.config.root / path) for path in paths])
        return self._taken(_queue(self._project, "ingest", settings))

    def evaluate(self, wanted: Sequence[Wanted], *, payer: str = "") -> str:
        """Queue an evaluation and return its run. `payer` is the key that it is booked on."""
        settings = {"wanted": [asdict(one) for one in wanted], "payer": payer}
        return self._taken(_queue(self._project, "evaluate", settings))

    def gate(self, asked: Asked) -> str:
        """Queue the question to a gate and return its run. Its author is the key that it is booked on."""
        return self._taken(_queue(self._project, "gate", {**asdict(asked), "payer": asked.author}))

    def finetune(self, wanted: tuning.Wanted, *, payer: str = "", job: Mapping[str, Any] | None = None) -> str:
        """Queue a tuning and return its run, which is booked on the key `payer`. `job` is what the tuning API says."""
        settings = {**asdict(wanted), "payer": payer, **({"job": dict(job)} if job is not None else {})}
        return self._taken(_queue(self._project, "finetune", settings))

    def improve(self, wanted: improving.Wanted, *, payer: str = "") -> str:
        """Queue a turn of the wheel, settled already, and return its run. `payer` is the key that it is booked on."""
        return self._taken(_queue(self._project, "improve", {**asdict(wanted), "payer": payer}))

    def add(self, adapter: str, *, app: str) -> str:
        """Queue that an adapter becomes a variant of an application, and return the run."""
        return self._taken(_queue(self._project, "add", {"adapter": adapter, "app": app}))

    def generate(self, wanted: drafting.Wanted, *, payer: str = "") -> str:
        """Queue the drafting of cases and return its run. `payer` is the key that it is booked on."""
        return self._taken(_queue(self._project, "generate", {**asdict(wanted), "payer": payer}))

    def resume(self, id_: str, *, seen: runs.Run | None = None) -> None:
        """Queue a run again that nobody executes, with `seen` only if it is still so. Raises UserError for others."""
        run = seen or runs.get(self._project.parts.engine, id_)
        if run.state == "queued":
            raise UserError(f"run {run.id} waits for its turn already", cure="let it come, or cancel it")
        self._called_off.discard(run.id)  # before the claim: who calls it off from then on is heard
        runs.claim(self._project.parts.engine, run.id, seen=seen)
        self._take(run.id)

    def cancel(self, id_: str) -> None:
        """Stop a run, whoever executes it; what it finished stays. Raises UserError when it has ended already."""
        engine = self._project.parts.engine
        run = runs.get(engine, id_)
        if run.state in runs.ENDED:
            raise UserError(f"run {run.id} is {run.state} already", cure="see the list of runs")
        self._called_off.add(run.id)
        self._cancelling.add(run.id)
        try:
            durable.stop(engine, run.id)
        finally:
            self._cancelling.discard(run.id)

    def pause(self, id_: str) -> None:
        """Stop a run and leave it interrupted, for `resume`. Raises UserError when it has ended already."""
        self.cancel(id_)
        end = time.monotonic() + durable.GRACE
        while self._at_work is not None and self._at_work.id == id_ and time.monotonic() < end:
            time.sleep(durable.POLL)  # the thread that watches it would call it cancelled once more
        runs.interrupt(self._project.parts.engine, id_, why=PAUSED)

    def is_cancelling(self, id_: str) -> bool:
        """Whether a run was told to stop and has not yet: a worker finishes its step, for some seconds at most."""
        return id_ in self._cancelling

    @property
    def at_work(self) -> runs.Run | None:
        """The run whose turn it is, as it was when it came."""
        return self._at_work

    def close(self) -> None:
        """Stop what is at work and leave what waits, both as interrupted; `resume` goes on with either."""
        self._closed.set()
        if self._worker is not None:
            self._worker.join(durable.GRACE + 5)

    def _taken(self, id_: str) -> str:
        self._take(id_)
        return id_

    def _take(self, id_: str) -> None:
        self._waiting.put(id_)
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="runs", daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Empty):
                self._perform(self._waiting.get(timeout=0.2))
        engine = self._project.parts.engine
        with contextlib.suppress(queue.Empty):
            while True:
                runs.let_go(engine, self._waiting.get_nowait(), why=STOPPED_BEFORE)

    def _perform(self, id_: str) -> None:
        engine, cut = self._project.parts.engine, threading.Event()

        def look(_: Mapping[str, Any]) -> None:
            if id_ in self._called_off:
                raise KeyboardInterrupt  # as Ctrl-C does for a run of the command line
            if self._closed.is_set():
                cut.set()
                raise KeyboardInterrupt

        if id_ in self._called_off:
            return
        try:
            self._at_work = run = runs.get(engine, id_)
            if run.state in runs.ENDED:  # cancelled by another process, or executed by it
                return
            watch(self._project, id_, on_progress=look)
        except GatewheelError as error:
            log.info("run %s: %s", id_, error)  # how it ended stands in the run
        except DBAPIError as error:
            log.warning("run %s: the store failed: %s", id_, error.orig)
        finally:
            self._at_work = None
        if cut.is_set():
            runs.interrupt(engine, id_, why=STOPPED)
        elif not self._closed.is_set():
            self._take_up(id_)

    def _take_up(self, id_: str) -> None:
        from gatewheel.loop import taking_up

        with contextlib.suppress(DBAPIError):
            taking_up.again(self, self._project, id_)


def _queue(project: Project, kind: str, settings: Mapping[str, Any]) -> str:
    return runs.create(project.parts.engine, kind, settings=settings, config=project.config.plain())


def _ingesting(paths: Sequence[str], fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"paths": list(paths), "fields": dict(fields or {})}


def _absolute(path: str) -> str:
    return str(Path.cwd() / Path(path).expanduser())
