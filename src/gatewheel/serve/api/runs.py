"""`/api/runs` and `/api/ingest`: long work, started, followed, called off and taken up again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from gatewheel.kernel import runs
from gatewheel.kernel.config import STATE_FOLDER
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.ops import keys
from gatewheel.serve import events, flow
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals, seen_reasons
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api", tags=["runs"])
LOOK = 0.25  # seconds between two looks at a run that somebody follows
WHOLE = 64  # digits of the id of a variant
LONGEST_LOG = 1_000_000  # bytes; of a longer log the end is told
Id = Annotated[Words, InPath(description="A run, by its id or an unmistakable beginning of it.")]
Operator = Annotated[Caller, Depends(may("operate"))]
Payer = Annotated[Caller, Depends(may("operate", paying=True))]
At = Annotated[Service, Depends(service)]


class Paths(BaseModel):
    """What to read; nothing: what `[sources]` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    paths: tuple[Words, ...] = Field((), max_length=1000, description="Files, folders or globs inside the project.")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """One piece of long work. `state` is queued, running, interrupted, done, failed or cancelled; times are POSIX.

    `about` says of all but an ingest who is asked what. What names documents or repeats cases (`progress.current`,
    `result.skipped`, `samples`, `error`) is empty for keys that do not see all of them. `cancelling`: it was told to
    stop and has not yet. `behind` is what a queued run waits for, empty where that is not known.
    """

    id: str
    kind: str
    about: str
    state: str
    created: float
    started: float | None
    ended: float | None
    progress: dict[str, Any]
    result: Any
    error: str
    cancelling: bool
    behind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunList:
    """Runs, the newest first."""

    runs: list[RunView]


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The run that was queued."""

    run: str


@router.post("/ingest", operation_id="ingest", status_code=202, responses=refusals())
async def ingest(what: Paths, caller: Operator, at: At) -> Started:
    """Bring the index in line with the files, as a run in the background.

    Keys that do not see every document may name no paths: which of them exist would tell.
    """
    if what.paths and caller.groups is not None:
        message = f"naming paths needs a key of the group '{keys.EVERY}'; leave them out to read all that has changed"
        raise Fault(403, message, code="insufficient_groups", param="paths")
    root = at.project.config.root
    paths = [inside(root, path) for path in what.paths]
    return Started(run=await at.quickly(lambda: at.background.ingest(paths)))


@router.get("/runs", operation_id="list_runs", responses=refusals())
async def listed(
    caller: Operator,
    at: At,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
    kind: Annotated[Words, Query(description="Only those of a kind, such as evaluate.")] = "",
) -> RunList:
    """The newest runs first."""
    found = await at.quickly(lambda: runs.recent(at.project.parts.engine, limit=limit, kind=kind))
    return RunList(runs=[_view(at, run, caller) for run in found])


@router.get("/runs/{id}", operation_id="get_run", responses=refusals(404))
async def show(id: Id, caller: Operator, at: At) -> RunView:  # noqa: A002 (its name on the wire)
    """One run."""
    return _view(at, await at.quickly(partial(_find, at, id)), caller)


@router.get(
    "/runs/{id}/events",
    operation_id="follow_run",
    response_class=StreamingResponse,
    responses={200: {"content": events.DECLARED, "description": "`run` on every change."}, **refusals(404)},
)
async def follow(id: Id, caller: Operator, at: At) -> Response:  # noqa: A002
    """A run as it goes on, as server-sent events: `run` on every change, until it has ended."""
    return events.Events(_told(at, await at.quickly(partial(_find, at, id)), caller))


@router.get(
    "/runs/{id}/log",
    operation_id="get_run_log",
    response_class=PlainTextResponse,
    responses={200: {"description": "What the run wrote; of a long log its end."}, **refusals(404)},
)
async def log(id: Id, caller: Operator, at: At) -> Response:  # noqa: A002
    """What a run wrote, for those who see every document."""
    if caller.groups is not None:
        message = "a log names documents that this key may not see; it takes a key with the group '*'"
        raise Fault(403, message, code="insufficient_groups")
    run = await at.quickly(partial(_find, at, id))
    text = await at.quickly(lambda: _log(at.project.config.root, run.id))
    return PlainTextResponse(text.encode("utf-8"), media_type="text/plain")


@router.post("/runs/{id}/cancel", operation_id="cancel_run", responses=refusals(404, 409))
async def cancel(id: Id, caller: Operator, at: At) -> RunView:  # noqa: A002
    """Stop a run; what it finished stays."""
    return await moved(at, id, at.background.cancel, caller)


@router.post("/runs/{id}/resume", operation_id="resume_run", responses=refusals(404, 409))
async def resume(id: Id, caller: Payer, at: At) -> RunView:  # noqa: A002
    """Go on with a run that was cancelled, interrupted or failed."""
    return await moved(at, id, at.background.resume, caller)


def inside(root: Path, path: str) -> str:
    """A path of a request, relative to the project. Raises Fault for one that leads out of it or to hidden files."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") and part != "." for part in parts)  # among them .. and .gatewheel
    if path.startswith("/") or not parts or hidden or not (root / path).resolve().is_relative_to(root.resolve()):
        cure = "name something inside the project that is not hidden"
        raise Fault(400, f"'{path}' cannot be read from here; {cure}", code="invalid_value", param="paths")
    return path


def _view(at: Service, run: runs.Run, caller: Caller) -> RunView:
    """A run as the caller may see it: without what names documents, unless it sees all of them."""
    stopping = run.state not in runs.ENDED and at.background.is_cancelling(run.id)
    made = {"about": _about(run), "cancelling": stopping, "behind": _behind(at, run)}
    shown = {name: getattr(run, name) for name in RunView.__dataclass_fields__ if name not in made}
    shown |= {"progress": dict(run.progress), "error": run.why} | made
    if caller.groups is not None:
        shown["progress"] = _unquoted(shown["progress"]) | ({"current": ""} if "current" in run.progress else {})
        shown["result"] = _seen(run) if isinstance(run.result, dict) else None
        shown["error"] = ""
    return RunView(**shown)


def _about(run: runs.Run) -> str:
    said: Mapping[str, Any] = run.settings
    if run.kind == "gate":
        named = said["candidate"] if len(said["candidate"]) < WHOLE else said["candidate"][:12]
        return f"{named} before gate {said['gate'] or 'main'}"
    if run.kind == "evaluate":
        wanted = said["wanted"]
        targets = [one["app"] or one["model"] for one in wanted]
        return ", ".join(filter(None, [f"suite {wanted[0]['suite']}" if wanted else "", *targets]))
    if run.kind in ("judge", "prefer"):
        return f"judge {said['name']}"
    if run.kind == "generate":
        return f"drafts for suite {said['suite']}"
    if run.kind == "finetune":
        return f"{said['table']} of {said['app'] or said['base']} on {said['data']}"
    if run.kind == "improve":
        return f"{said['app']} by {said['table']} on {said['data']}, before gate {said['gate']}"
    if run.kind == "add":
        return f"adapter {said['adapter'][:12]} in {said['app']}"
    if run.kind == "calibrate":
        suite = said["wanted"]["suite"]
        return f"labels of suite {suite}" if suite else "labels of a file"
    return ""


def _behind(at: Service, run: runs.Run) -> str:
    """What a run of this service waits for."""
    first = at.background.at_work
    if run.state != "queued" or first is None or first.id == run.id or run.process != os.getpid():
        return ""
    return ", ".join(filter(None, [first.kind, _about(first)]))


def _seen(run: runs.Run) -> dict[str, Any]:
    """A result for who does not see every document."""
    told: dict[str, Any] = _unquoted(run.result)
    if run.kind == "ingest":
        told["skipped"] = []
    if run.kind == "gate":
        told["decision"] = seen_reasons(told["decision"])
    if run.kind == "improve":
        told["reasons"] = []  # the texts of its gate alone, which do not say what rule each is of
    return told


def _unquoted(told: Any) -> Any:
    """What a run says, without the samples of what a tuning learns, which are words of its cases."""
    if not isinstance(told, Mapping):
        return told
    return {key: [] if key == "samples" else _unquoted(value) for key, value in told.items()}


def _find(at: Service, id_: str) -> runs.Run:
    try:
        return runs.get(at.project.parts.engine, id_)
    except UserError as error:
        raise missing(error) from None


async def moved(at: Service, id_: str, move: Callable[[str], None], caller: Caller) -> RunView:
    """The run after something was done with it. Raises Fault 409 where that cannot be, 404 for no such run."""

    def work() -> runs.Run:
        run = _find(at, id_)
        try:
            move(run.id)
        except UserError as error:
            raise Fault(409, str(error), code="conflict") from None
        return _find(at, run.id)

    return _view(at, await at.quickly(work), caller)


async def _told(at: Service, run: runs.Run, caller: Caller) -> AsyncIterator[bytes]:
    last: RunView | None = None
    while not at.closing.is_set():
        now = _view(at, run, caller)
        if now != last:
            yield flow.data(asdict(now), event="run")
            last = now
        if now.state not in ("queued", "running"):
            return
        await asyncio.sleep(LOOK)
        run = await at.quickly(partial(_find, at, run.id))


def _log(root: Path, id_: str) -> str:
    path = root / STATE_FOLDER / "runs" / id_ / "log.txt"
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LONGEST_LOG))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
