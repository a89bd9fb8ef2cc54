"""Long work as a Run: queued in the project's ledger, executed durably in a child process, watched from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import durable, runs

if TYPE_CHECKING:
    from gatewheel.loop.project import Project

WORKER = "gatewheel.loop.worker"
Watch = Callable[[Mapping[str, Any]], None]


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
    settings = {"paths": [_absolute(path) for path in paths], "fields": dict(fields or {})}
    id_ = runs.create(project.parts.engine, "ingest", settings=settings, config=project.config.plain())
    return watch(project, id_, on_progress=on_progress)


def watch(project: Project, id_: str, *, on_progress: Watch | None = None) -> dict[str, Any]:
    """Execute a queued, cancelled, failed or interrupted run to its end and return its result.

    Raises Cancelled on Ctrl-C; UserError as the work itself does, and when the run is done or another executes it.
    """
    run = durable.perform(project.parts.engine, id_, root=project.config.root, worker=WORKER, on_progress=on_progress)
    result: dict[str, Any] = run.result
    return result


def _absolute(path: str) -> str:
    return str(Path.cwd() / Path(path).expanduser())
