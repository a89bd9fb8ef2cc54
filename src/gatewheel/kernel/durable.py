"""Executes runs as DBOS workflows: a step that was killed is done again, a finished one never is.

The heavy work is a child process, so that it can be cancelled, limited and killed without harm to whoever watches.
One run at a time per project: the child holds a lock that dies with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine

from gatewheel.kernel import runs
from gatewheel.kernel.config import STATE_FOLDER
from gatewheel.kernel.errors import Cancelled, GatewheelError, UserError

POLL = 0.1  # seconds between two looks at a run's progress
GRACE = 10.0  # seconds a cancelled child may take to finish its transaction

# glibc keeps what a large document took for ever unless large pieces are mapped one by one, and makes an arena for each
# thread: 50 MB of text cost 300 MB that never came back
FRUGAL = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "4194304"}
# threads of torch that spin while they wait for others keep these from the processor: on a busy machine a step of
# tuning took 200 s instead of 7
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
_children: dict[str, subprocess.Popen[bytes]] = {}


def perform(
    engine: Engine,
    id_: str,
    *,
    root: Path,
    worker: str,
    on_progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> runs.Run:
    """Execute a run that is not done to its end, in a child process running the module `worker`.

    Raises Cancelled on Ctrl-C, UserError or GatewheelError with the child's own message when it failed, UserError when
    the run is done or another process executes it.
    """
    runs.claim(engine, id_)
    try:
        waiter = _start(engine, id_, root=root, worker=worker)
        while waiter.is_alive():
            waiter.join(POLL)
            if on_progress:
                on_progress(runs.get(engine, id_).progress)
    except KeyboardInterrupt:
        stop(engine, id_)
        raise Cancelled(f"stopped; what was finished stays. Go on with `gatewheel runs resume {id_}`") from None
    except BaseException:
        runs.let_go(engine, id_)
        raise
    runs.let_go(engine, id_)
    return _outcome(runs.get(engine, id_), root)


def stop(engine: Engine, id_: str) -> None:
    """Ask the process of a run to finish its transaction and end; kill it after a grace period."""
    if runs.call_off(engine, id_):
        # whoever has not begun by now never will; a child of ours need not even finish its imports
        if child := _children.get(id_):
            child.terminate()
        return
    run = runs.get(engine, id_)
    if run.state in runs.ENDED:
        return
    if run.process and run.state == "running":
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.process, signal.SIGTERM)
            _wait_for(run.process)
    runs.mark_stopped(engine, run)


@contextlib.contextmanager
def exclusive(state: Path, *, wait: bool = False) -> Iterator[None]:
    """One run at a time per project. While another process is at work, wait for it or raise UserError."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "run.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise UserError(
                "another run is at work in this project", cure="wait for it, or see `gatewheel runs list` and cancel it"
            ) from None
        yield


def _start(engine: Engine, id_: str, *, root: Path, worker: str) -> threading.Thread:
    """Begin the workflow of a run; the thread lives until it ends."""
    dbos = _launch(engine, root)
    from dbos import SetWorkflowID

    attempt, pending = _attempt(dbos, id_)
    if pending:
        handle = dbos.resume_workflow(attempt)
    else:
        with SetWorkflowID(attempt):
            handle = dbos.start_workflow(_workflow(), str(root), id_, worker)
    waiter = threading.Thread(target=_quietly, args=(handle.get_result,), daemon=True)
    waiter.start()
    return waiter


def _attempt(dbos: Any, id_: str) -> tuple[str, bool]:
    """The workflow to execute a run by: the one that was killed, else a new one, since an ended one is never redone."""
    for number in itertools.count(1):
        attempt = f"{id_}.{number}"
        status = dbos.get_workflow_status(attempt)
        if status is None:
            return attempt, False
        if status.status in ("PENDING", "ENQUEUED"):
            return attempt, True
    raise AssertionError("unreachable")


def _launch(engine: Engine, root: Path) -> Any:
    from dbos import DBOS

    url = engine.url
    if engine.dialect.name == "sqlite":
        url = URL.create("sqlite", database=str(root / STATE_FOLDER / "runs.db"))  # as a text, a ? would end the path
    logging.getLogger("dbos").setLevel(logging.CRITICAL)  # a failed step is told through the run, not a stack trace
    DBOS(
        config={
            "name": "gatewheel",
            "system_database_url": url.render_as_string(hide_password=False),
            "log_level": "CRITICAL",
            # of its own, so that a launch never takes up by itself what another living process is doing
            "executor_id": f"{os.uname().nodename}-{os.getpid()}",
            "application_version": "1",
        }
    )
    _workflow()
    DBOS.launch()
    return DBOS


_registered: list[Callable[[str, str, str], None]] = []


def _workflow() -> Callable[[str, str, str], None]:
    from dbos import DBOS

    if not _registered:
        step = DBOS.step(name="gatewheel.child")(_child)

        def workflow(root: str, id_: str, worker: str) -> None:
            step(root, id_, worker)

        _registered.append(DBOS.workflow(name="gatewheel.run")(workflow))
    return _registered[0]


def _child(root: str, id_: str, worker: str) -> None:
    log = runs.folder(Path(root) / STATE_FOLDER, id_) / "log.txt"
    with log.open("ab") as file:
        child = subprocess.Popen(
            # -P, or modules that lie in the current folder, which is often one of documents, would be executed
            [sys.executable, "-P", "-m", worker, root, id_],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**FRUGAL, **PATIENT, **os.environ},
            start_new_session=True,  # Ctrl-C reaches the watcher, which then asks the child to stop
        )
    _children[id_] = child
    child.wait()
    del _children[id_]


def _quietly(wait: Callable[[], Any]) -> None:
    # how it ended stands in the run
    with contextlib.suppress(Exception):
        wait()


def _wait_for(process: int) -> None:
    end = time.monotonic() + GRACE
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(POLL)
        if any(child.pid == process and child.poll() is not None for child in list(_children.values())):
            return
    os.kill(process, signal.SIGKILL)


def _outcome(run: runs.Run, root: Path) -> runs.Run:
    if run.state == "done":
        return run
    if run.state == "cancelled":
        raise Cancelled(f"run {run.id} was cancelled; `gatewheel runs resume {run.id}` goes on")
    log = runs.folder(root / STATE_FOLDER, run.id) / "log.txt"
    if run.state == "failed" and run.error.startswith(runs.USERS):
        raise UserError(run.why)
    raise GatewheelError(f"run {run.id} ended without a result: {run.error or 'its process died'}", cure=f"see {log}")
