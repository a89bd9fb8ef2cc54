"""Runs: the ledger of long work. What a run is, how far it got, how it ended. Who executes it is in durable.py."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, insert, select, update

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.store.schema import runs

ENDED = ("done", "failed", "cancelled")
USERS = "user: "  # before the error of a run that failed for what somebody asked of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One piece of long work. `state` is queued, running, interrupted, done, failed or cancelled; times are POSIX.

    `process` is who answers for it: the watcher of a queued run, the worker of a running one. When that process is no
    more, the run is interrupted; `error` says why where somebody could still say it, after USERS where what was asked
    was at fault; `why` says it without that mark.
    """

    id: str
    kind: str
    state: str
    created: float
    started: float | None
    ended: float | None
    settings: Mapping[str, Any]
    config: Mapping[str, Any]
    progress: Mapping[str, Any]
    result: Any
    error: str
    machine: str
    parent: str | None
    process: int | None

    @property
    def why(self) -> str:
        """Why it did not get done, in words."""
        return self.error.removeprefix(USERS)


def create(engine: Engine, kind: str, *, settings: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """A new run, queued by this process; returns its id, which sorts by time."""
    id_ = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    values = {
        "id": id_,
        "kind": kind,
        "state": "queued",
        "created": time.time(),
        "settings": dict(settings),
        "config": dict(config),
        "progress": {},
        "error": "",
        "machine": f"{platform.node()} {platform.machine()} {os.cpu_count()} cores, Python {platform.python_version()}",
        **_me(),
    }
    with engine.begin() as connection:
        connection.execute(insert(runs).values(**values))
    return id_


def change(engine: Engine, id_: str, **values: Any) -> None:
    """Set columns of a run."""
    with engine.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == id_).values(**values))


def claim(engine: Engine, id_: str, *, seen: Run | None = None) -> None:
    """Queue a run again that nobody executes: this process will see to it. With `seen` only if it is still so.

    Raises UserError when it is done already, another process has it, or it is otherwise by now.
    """
    run = seen or get(engine, id_)
    if run.state == "done":
        raise UserError(f"run {run.id} is done", cure="nothing is left to resume")
    theirs = run.state == "running" or (run.state == "queued" and run.process != os.getpid())
    # as it was seen, so that of two who see the same only one gets it
    state = runs.c.state == run.state if run.state in ENDED else runs.c.state.not_in(ENDED)
    as_seen = (runs.c.process.is_not_distinct_from(run.process), runs.c.error == run.error, state)
    values = {"state": "queued", "started": None, "ended": None, "result": None, "error": "", **_me()}
    if not theirs and _change_if(engine, run.id, *as_seen, **values):
        return
    if (now := get(engine, run.id)).process is None:
        raise UserError(f"run {run.id} is {now.state} by now", cure=f"see `gatewheel runs show {run.id}`")
    raise UserError(
        f"process {now.process} executes run {run.id} already", cure=f"follow it with `gatewheel runs watch {run.id}`"
    )


def begin(engine: Engine, id_: str) -> bool:
    """This process takes up a queued run. False when it was called off meanwhile: then there is nothing to do."""
    return _change_if(engine, id_, runs.c.state == "queued", state="running", started=time.time(), **_me())


def call_off(engine: Engine, id_: str) -> bool:
    """Cancel a run that nobody has begun. False when it is not queued."""
    values = {"state": "cancelled", "ended": time.time(), "process": None}
    return _change_if(engine, id_, runs.c.state == "queued", **values)


def mark_stopped(engine: Engine, run: Run) -> None:
    """A run that was told to stop, whose process did not say itself how it ended, is cancelled; not a later attempt."""
    values = {"state": "cancelled", "ended": time.time(), "result": None, "error": "", "process": None}
    as_seen = (runs.c.state.in_(("running", "interrupted")), runs.c.process.is_not_distinct_from(run.process))
    _change_if(engine, run.id, *as_seen, **values)


def let_go(engine: Engine, id_: str, *, why: str = "") -> None:
    """This process will not execute the run after all: if it is still queued, it is interrupted for this reason."""
    _change_if(engine, id_, runs.c.state == "queued", runs.c.process == os.getpid(), process=None, error=why)


def interrupt(engine: Engine, id_: str, *, why: str) -> None:
    """Say of a run that was stopped that nobody cancelled it: it is interrupted for the reason `why`."""
    _change_if(engine, id_, runs.c.state == "cancelled", state="interrupted", error=why)


def end(engine: Engine, id_: str, state: str, *, result: Any = None, error: str = "") -> None:
    """The run is over: done, failed or cancelled."""
    change(engine, id_, state=state, ended=time.time(), result=result, error=error, process=None)


def recent(engine: Engine, *, limit: int | None = 20, kind: str = "") -> list[Run]:
    """The newest runs first: of one kind, or all."""
    wanted = select(runs).order_by(runs.c.created.desc()).limit(limit)
    with engine.connect() as connection:
        rows = connection.execute(wanted.where(runs.c.kind == kind) if kind else wanted)
        return [_run(row) for row in rows]


def get(engine: Engine, id_: str) -> Run:
    """A run by its id or the beginning of it. Raises UserError when there is no such run or more than one."""
    with engine.connect() as connection:
        rows = connection.execute(select(runs).where(runs.c.id.startswith(id_, autoescape=True)).limit(5)).all()
    exact = [row for row in rows if row.id == id_] or rows
    if len(exact) != 1:
        what = f"no run '{id_}'" if not exact else f"'{id_}' begins {len(exact)} runs"
        raise UserError(what, cure=did_you_mean(id_, [run.id for run in recent(engine, limit=5)]))
    return _run(exact[0])


def folder(state: Path, id_: str) -> Path:
    """Where a run keeps its log and checkpoints."""
    path = state / "runs" / id_
    path.mkdir(parents=True, exist_ok=True)
    return path


def _change_if(engine: Engine, id_: str, *conditions: ColumnElement[bool], **values: Any) -> bool:
    with engine.begin() as connection:
        done = connection.execute(update(runs).where(runs.c.id == id_, *conditions).values(**values))
    return done.rowcount == 1


def _me() -> dict[str, int | None]:
    return {"process": os.getpid(), "born": _born(os.getpid())}


def _run(row: Any) -> Run:
    values = dict(row._mapping)
    born = values.pop("born")
    if values["state"] in ("queued", "running") and not _alive(values["process"], born):
        values["state"] = "interrupted"  # its process was killed before it could say so
    return Run(**values)


def _alive(process: int | None, born: int | None) -> bool:
    if not process:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _born(process) == born


def _born(process: int) -> int | None:
    """When a process began, in clock ticks since the machine did; None where /proc does not say, or it has died.

    A dead process keeps its entry until its parent asks for it, which nobody may ever do in a container.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # of proc(5), from the third one on
    return None if fields[0] in "ZX" else int(fields[19])
