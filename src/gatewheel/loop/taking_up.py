"""Jobs of the tuning API that the end of a service interrupted go on by themselves, for their clients wait for them.

Other long work waits until somebody resumes it, and so does a job that its client paused.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.runs import Run
from gatewheel.loop import tuning_jobs
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.running import STOPPED

if TYPE_CHECKING:
    from gatewheel.loop.project import Project
    from gatewheel.loop.running import Background

TRIES = 3  # kills without a step between them; what dies so, such as for want of memory, would do so for ever
MOST = 10  # kills without a step that it had not learned before; it may be killed before its first checkpoint
LOOK = 1.0  # seconds between two looks at whether the worker of a service that was killed has ended
log = logging.getLogger("gatewheel.runs")


def left(engine: Engine) -> list[str]:
    """The jobs that have not ended, by their runs, the oldest first."""
    every = runs.recent(engine, limit=None, kind="finetune")
    return [run.id for run in reversed(every) if tuning_jobs.is_job(run) and run.state not in runs.ENDED]


def go_on(background: Background, project: Project, jobs: list[str], *, closing: threading.Event) -> None:
    """Queue again what an earlier service left of these jobs, in their order: behind one that a process has, none is.

    Where the store fails it is tried again.
    """
    for id_ in jobs:
        while not _again(background, project, id_):
            if closing.wait(LOOK):
                return


def _again(background: Background, project: Project, id_: str) -> bool:
    try:
        return again(background, project, id_)
    except (DBAPIError, OSError) as error:
        log.warning("run %s: it cannot go on yet: %s", id_, getattr(error, "orig", error))
        return False
    except UserError as error:  # there is no such run any more
        log.info("run %s: %s", id_, error)
        return True


def again(background: Background, project: Project, id_: str) -> bool:
    """Queue a run again that is an interrupted job, or let it fail. False while a process has it."""
    engine, state = project.parts.engine, project.config.state
    run = runs.get(engine, id_)
    if run.state in ("queued", "running"):
        return False
    if tuning_jobs.is_job(run) and run.state == "interrupted" and not tuning_jobs.is_paused(run):
        if _was_killed(run) and (what := _hopeless(state, run)):
            what = f"its process was killed {what}; it may want more memory than there is"
            runs.end(engine, run.id, "failed", error=f"{what}. Tune on a smaller model, or on less")
        else:
            with contextlib.suppress(UserError):  # somebody else was quicker, or called it off
                background.resume(run.id, seen=run)
    return True


def _was_killed(run: Run) -> bool:
    return run.started is not None and run.error != STOPPED


def _hopeless(state: Path, run: Run) -> str:
    """How often it was killed without getting on, this time included; empty while that may change.

    A step counts that was learned since this attempt began, also one that an attempt before had learned.
    """
    said, notes = tuning_jobs.points(state, run.id), Notebook(state, run.id, "kills")
    kills, idle = notes.known.get(f"{len(said)}", (0, 0))
    began = run.started or 0.0
    learned = any(point["step"] and point["at"] >= began for point in said.values())
    kills, idle = kills + 1, 0 if learned else idle + 1
    notes.keep(f"{len(said)}", [kills, idle])
    if idle >= TRIES:
        return f"{idle} times without a step between"
    return f"{kills} times without a step that was new" if kills >= MOST else ""
