"""/v1/fine_tuning/jobs: a model is tuned on a file, as a run in the background. A job belongs to who began it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from gatewheel.kernel import runs
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.kernel.runs import Run
from gatewheel.loop import client_files, tuned_models, tuning, tuning_jobs
from gatewheel.loop.compose import Parts
from gatewheel.loop.tuned_models import TunedModel
from gatewheel.loop.tuning_jobs import Asked
from gatewheel.serve import fault, flow
from gatewheel.serve.access import may
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.v1 import names, tuned, tuning_request
from gatewheel.serve.v1.pages import page
from gatewheel.serve.v1.tuning_request import JobRequest
from gatewheel.serve.v1.tuning_shapes import (
    CheckpointShape,
    CheckpointsShape,
    EventShape,
    EventsShape,
    JobErrorShape,
    JobShape,
    JobsShape,
    Status,
)

router = APIRouter(prefix="/fine_tuning/jobs")
At = Annotated[Service, Depends(service)]
Operator = Annotated[Caller, Depends(may("operate"))]
Payer = Annotated[Caller, Depends(may("operate", paying=True))]
Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[str, Query(description="The id of one of them; those that follow it.")]
PREFIX = "ftjob-"
_ID = re.compile(PREFIX + r"(\d{8}-\d{6}-[0-9a-f]{6})")
_METADATA = re.compile(r"metadata\[(.*)\]")
_STATUS: Mapping[str, Status] = {
    "queued": "queued",
    "running": "running",
    "interrupted": "queued",  # it goes on by itself, unless its client paused it
    "done": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}
_JOB: dict[int | str, dict[str, Any]] = {200: {"model": JobShape, "description": "The job"}, **fault.ERRORS}


@router.post("", operation_id="createFineTuningJob", summary="Tune a model on a file", responses=_JOB)
async def create(body: JobRequest, caller: Payer, at: At) -> Response:
    """The model alone learns the conversations as they stand; an application lends its model, not its prompt.

    A model that was tuned before goes on from what it learned.
    """
    base, before = await _named(at, caller, body.model)
    asked = tuning_request.asked(body, base, before)

    def work() -> Run:
        parts = at.project.parts
        _refuse_files(parts, asked, caller)
        wanted, job = _settled(parts, asked, caller)
        return runs.get(parts.engine, at.background.finetune(wanted, payer=caller.key, job=job))

    return flow.reply(_shape(await at.quickly(work)))


@router.get(
    "",
    operation_id="listFineTuningJobs",
    summary="The jobs of this key",
    responses={200: {"model": JobsShape, "description": "A page of them"}, **fault.ERRORS},
)
async def listed(request: Request, caller: Operator, at: At, limit: Limit = 20, after: After = "") -> Response:
    """The newest first. `metadata[key]=value` leaves the others out, `metadata=null` those that have some."""
    said = request.query_params
    wanted = {named[1]: value for name, value in said.items() if (named := _METADATA.fullmatch(name))}
    found = await at.quickly(lambda: tuning_jobs.of(at.project.parts.engine, caller))
    mine = [run for run in found if _fits(run.settings["job"]["metadata"], wanted, none=said.get("metadata") == "null")]
    shapes, more = page([_shape(run) for run in mine], after=after, limit=limit)
    jobs: JobsShape = {"object": "list", "data": shapes, "has_more": more}
    return flow.reply(jobs)


@router.get("/{job_id}", operation_id="retrieveFineTuningJob", summary="One job", responses=_JOB)
async def one(job_id: str, caller: Operator, at: At) -> Response:
    """Only for the key that began it."""
    return flow.reply(_shape(await at.quickly(lambda: _find(at, caller, job_id))))


@router.get(
    "/{job_id}/events",
    operation_id="listFineTuningEvents",
    summary="What happened in a job",
    responses={200: {"model": EventsShape, "description": "A page of it"}, **fault.ERRORS},
)
async def events(job_id: str, caller: Operator, at: At, limit: Limit = 20, after: After = "") -> Response:
    """The newest first: each step with its loss, each look at the validation cases, and how it ended."""

    def work() -> list[EventShape]:
        run = _find(at, caller, job_id)
        said = tuning_jobs.points(at.project.config.state, run.id)
        return [_event(run, one) for one in tuning_jobs.events(run, said)]

    shapes, more = page(await at.quickly(work), after=after, limit=limit)
    told: EventsShape = {"object": "list", "data": shapes, "has_more": more}
    return flow.reply(told)


@router.get(
    "/{job_id}/checkpoints",
    operation_id="listFineTuningJobCheckpoints",
    summary="The checkpoints of a job",
    responses={200: {"model": CheckpointsShape, "description": "Those that can be asked"}, **fault.ERRORS},
)
async def checkpoints(job_id: str, caller: Operator, at: At, limit: Limit = 10, after: After = "") -> Response:
    """One, once the job has succeeded: the step with the best validation loss, which is the model."""

    def work() -> list[CheckpointShape]:
        run = _find(at, caller, job_id)
        best = tuning_jobs.best(run, tuning_jobs.points(at.project.config.state, run.id))
        return [_checkpoint(run, best)] if best else []

    shapes, more = page(await at.quickly(work), after=after, limit=limit)
    ends = (shapes[0]["id"], shapes[-1]["id"]) if shapes else (None, None)
    found: CheckpointsShape = {
        "object": "list",
        "data": shapes,
        "has_more": more,
        "first_id": ends[0],
        "last_id": ends[1],
    }
    return flow.reply(found)


@router.post("/{job_id}/cancel", operation_id="cancelFineTuningJob", summary="Call a job off", responses=_JOB)
async def cancel(job_id: str, caller: Operator, at: At) -> Response:
    """After the step that it is at."""
    return await _moved(at, caller, job_id, lambda run: at.background.cancel(run.id))


@router.post("/{job_id}/pause", operation_id="pauseFineTuningJob", summary="Pause a job", responses=_JOB)
async def pause(job_id: str, caller: Operator, at: At) -> Response:
    """After the step that it is at; what was learned is kept for when it is resumed."""
    return await _moved(at, caller, job_id, lambda run: at.background.pause(run.id))


@router.post("/{job_id}/resume", operation_id="resumeFineTuningJob", summary="Go on with a job", responses=_JOB)
async def resume(job_id: str, caller: Payer, at: At) -> Response:
    """One that was paused; what the end of the service interrupted goes on by itself."""

    def move(run: Run) -> None:
        if not tuning_jobs.is_paused(run):
            raise UserError(f"job {PREFIX}{run.id} is {_status(run)}", cure="only a paused job is resumed")
        at.background.resume(run.id)

    return await _moved(at, caller, job_id, move)


async def _named(at: Service, caller: Caller, model: str) -> tuple[str, TunedModel | None]:
    """The [model.*] behind a name, and which was tuned before if it is one of those. Raises Fault."""
    config = at.project.config
    if model.startswith(tuned_models.PREFIX) and model not in names.known(config):
        found = await tuned.find(at, caller, model)
        return found.model, found
    named = names.writer(config, model)
    settings: Any = config.table(named.kind, named.table).settings
    return (settings.model if named.kind == "app" else named.table), None


def _refuse_files(parts: Parts, asked: Asked, caller: Caller) -> None:
    """Raises Fault 400 for files that are not there for this key, and for one that is to be both."""
    for param, id_ in (("training_file", asked.file), ("validation_file", asked.validation)):
        file = client_files.find(parts.engine, id_, key=caller.key)
        if (file is None or file.purpose != "fine-tune") and (id_ or param == "training_file"):
            what = f"no file '{id_[:80]}' of this key is there to learn from; upload it to /v1/files"
            raise Fault(400, what, code=f"invalid_{param}", param=param)
    if asked.validation == asked.file:
        what = "validation_file: it is the training file; name another, or none: then a share of it is kept for that"
        raise Fault(400, what, code="invalid_validation_file", param="validation_file")


def _settled(parts: Parts, asked: Asked, caller: Caller) -> tuple[tuning.Wanted, dict[str, Any]]:
    try:
        tuning_jobs.refuse_base(parts, asked)
    except UserError as error:
        raise Fault(400, f"model: {error.what}", code="model_not_available", param="model") from None
    try:
        return tuning_jobs.settled(parts, asked, caller)
    except ConfigError as error:
        raise Fault(400, str(error), code="invalid_value", param="hyperparameters") from None


async def _moved(at: Service, caller: Caller, job_id: str, move: Callable[[Run], None]) -> Response:
    def work() -> Run:
        run = _find(at, caller, job_id)
        try:
            move(run)
        except UserError as error:
            raise Fault(400, str(error), code="invalid_state") from None
        return runs.get(at.project.parts.engine, run.id)

    return flow.reply(_shape(await at.quickly(work)))


def _find(at: Service, caller: Caller, job_id: str) -> Run:
    named = _ID.fullmatch(job_id)
    found = tuning_jobs.find(at.project.parts.engine, named[1], caller) if named else None
    if found is None:
        what = f"no tuning job '{job_id[:80]}'; it belongs to another key, or there never was one"
        raise Fault(404, what, code="fine_tune_not_found", param="fine_tuning_job_id")
    return found


def _fits(has: Mapping[str, str], wanted: Mapping[str, str], *, none: bool) -> bool:
    return not (none and has) and all(has.get(key) == value for key, value in wanted.items())


def _status(run: Run) -> Status:
    reading = run.state == "running" and run.progress.get("point", {}).get("phase", "reading") == "reading"
    if tuning_jobs.is_paused(run):
        return "paused"
    return "validating_files" if reading else _STATUS[run.state]


def _shape(run: Run) -> JobShape:
    job, done = run.settings["job"], run.state == "done"
    left = run.progress.get("left") if run.state == "running" else None
    ended = run.state in runs.ENDED and run.ended is not None
    return {
        "id": f"{PREFIX}{run.id}",
        "object": "fine_tuning.job",
        "created_at": int(run.created),
        "model": job["model"],
        "organization_id": "gatewheel",
        "status": _status(run),
        "training_file": job["file"],
        "validation_file": job.get("validation") or None,
        "hyperparameters": job["hyperparameters"],
        "method": {"type": "supervised", "supervised": {"hyperparameters": job["hyperparameters"]}},
        "seed": job["seed"],
        "metadata": job["metadata"] or None,
        "integrations": [],
        "estimated_finish": int(time.time() + left) if left is not None else None,
        "finished_at": int(run.ended) if ended and run.ended else None,
        "fine_tuned_model": tuning_jobs.name_of(run.id, job) if done else None,
        "trained_tokens": run.result["tuned"]["tokens"] if done else None,
        "result_files": [client_files.results_of(run.id)] if done else [],
        "error": _error(run) if run.state == "failed" else None,
    }


def _error(run: Run) -> JobErrorShape:
    ours = run.error.startswith(runs.USERS)
    return {
        "code": "invalid_job" if ours else "server_error",
        "message": run.why,
        "param": None,
    }


def _event(run: Run, event: tuning_jobs.Event) -> EventShape:
    return {
        "id": f"ftevent-{run.id}-{event.key}",
        "object": "fine_tuning.job.event",
        "created_at": int(event.created),
        "level": event.level,
        "message": event.message,
        "type": "metrics" if event.data else "message",
        "data": dict(event.data or {}),
    }


def _checkpoint(run: Run, best: Mapping[str, Any]) -> CheckpointShape:
    return {
        "id": f"ftckpt-{run.id}-{best['step']}",
        "object": "fine_tuning.job.checkpoint",
        "created_at": int(run.ended or run.created),
        "fine_tuned_model_checkpoint": tuning_jobs.name_of(run.id, run.settings["job"]),
        "fine_tuning_job_id": f"{PREFIX}{run.id}",
        "step_number": best["step"],
        "metrics": {
            "step": best["step"],
            "train_loss": best["train_loss"],
            "valid_loss": best["valid_loss"],
            "full_valid_loss": best["valid_loss"],
        },
    }
