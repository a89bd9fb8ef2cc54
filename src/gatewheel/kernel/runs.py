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

from sqlalchemy import Engine, insert, select, update

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.store.schema import runs

ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One piece of long work. `state` is queued, running, interrupted, done, failed or cancelled; times are POSIX."""

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


def create(engine: Engine, kind: str, *, settings: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """A new queued run; returns its id, which sorts by time."""
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
    }
    with engine.begin() as connection:
        connection.execute(insert(runs).values(**values))
    return id_


def change(engine: Engine, id_: str, **values: Any) -> None:
    """Set columns of a run."""
    with engine.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == id_).values(**values))


def begin(engine: Engine, id_: str) -> None:
    """This process has taken the run up."""
    change(
        engine,
        id_,
        state="running",
        started=time.time(),
        ended=None,
        process=os.getpid(),
        born=_born(os.getpid()),
        error="",
    )


def end(engine: Engine, id_: str, state: str, *, result: Any = None, error: str = "") -> None:
    """The run is over: done, failed or cancelled."""
    change(engine, id_, state=state, ended=time.time(), result=result, error=error, process=None)


def recent(engine: Engine, *, limit: int = 20) -> list[Run]:
    """The newest runs first."""
    with engine.connect() as connection:
        rows = connection.execute(select(runs).order_by(runs.c.created.desc()).limit(limit))
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


def _run(row: Any) -> Run:
    values = dict(row._mapping)
    born = values.pop("born")
    if values["state"] == "running" and not _alive(values["process"], born):
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
    """When a process began, in clock ticks since the machine did; None where /proc does not say."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])  # field 22 of proc(5), counted behind the name
