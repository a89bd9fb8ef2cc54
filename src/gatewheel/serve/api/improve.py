"""`/api/improve`: what can be learned and by what, what a tuning would take, its beginning, its course, and its end.

A tuning learns of documents and feedback of everybody, and repeats them when it is asked: all of this is for keys with
the scope operate that see every document.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.data import suites
from gatewheel.kernel.errors import Cancelled, UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import courses, ending, foreseeing, improving, learnable, tuning
from gatewheel.loop.courses import Course
from gatewheel.loop.learnable import Look
from gatewheel.serve.access import may
from gatewheel.serve.api.improve_shapes import Choices, ForeseenView, NearnessView, choices
from gatewheel.serve.api.runs import RunView, Started, moved
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service
from gatewheel.serve.whole import whole

router = APIRouter(prefix="/api/improve", tags=["improve"])
Found = TypeVar("Found")
LEFT = 30.0  # seconds without a question after which nobody waits: a look keeps one of two threads
PATIENCE = 5.0  # seconds that a request waits for what takes longer; it is asked again
Learner = Annotated[Caller, Depends(whole(may("operate"), "what is learned of is everybody's"))]
Payer = Annotated[Caller, Depends(whole(may("operate", paying=True), "what is learned of is everybody's"))]
At = Annotated[Service, Depends(service)]
Named = Annotated[Words, Field(max_length=200)]
Value = bool | int | float | Named | list[Named]
Data = Annotated[Words, Query(min_length=1, max_length=200, description="A suite for training, or a version.")]
Run = Annotated[Words, Path(description="A run, by its id or an unmistakable beginning of it.")]


class Tuning(BaseModel):
    """What to tune, as `gatewheel finetune` takes it. `changes` are settings of the table for this once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    data: Named = Field(min_length=1, description="A suite for training, or a dataset version.")
    table: Named = Field("lora", description="Which [finetune.*].")
    app: Named = Field("main", description="Which [app.*] learns: its prompts, its model.")
    base: Named = Field("", description="Another [model.*] than the application's.")
    changes: dict[Named, Value] = Field({}, max_length=100)


class Turn(BaseModel):
    """A whole turn of the wheel, as `gatewheel improve` takes it: harvest, tune, export, gate, propose."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    app: Named = Field("main", description="Which [app.*].")
    data: Named = Field("", description="A suite for training; empty: that of the gate's suite.")
    gate: Named = Field("", description="Which [gate.*] of the application; empty: its own.")
    table: Named = Field("lora", description="Which [finetune.*].")
    budget: float = Field(1800.0, ge=60, le=7 * 86_400, allow_inf_nan=False, description="Seconds of this machine.")
    changes: dict[Named, Value] = Field({}, max_length=100)


@router.get("", operation_id="list_learnable", responses=refusals())
async def listed(_: Learner, at: At) -> Choices:
    """Suites for training and frozen versions, applications, and tables of settings."""
    return await at.quickly(lambda: choices(at.project))


@router.get("/data", operation_id="look_at_learnable", responses=refusals())
async def data(data: Data, _: Learner, at: At, app: Named = "main") -> Look:
    """Samples as the application words them, lengths, twins, and balance of labels."""
    return await _long(at, ("learnable", data, app), lambda: learnable.look(at.project.parts, data, app))


@router.get("/leaks", operation_id="list_learnable_leaks", responses=refusals())
async def leaks(data: Data, _: Learner, at: At) -> NearnessView:
    """Cases that are nearly those of a held-out suite, left out when a set is frozen. Ask again until it is `checked`.

    What nobody asks again for is dropped.
    """
    parts = at.project.parts
    found = await _asked(at, ("near", data), lambda tick: learnable.nearness(parts, data, tick=tick))
    return NearnessView(checked=found is not None, nearness=found)


@router.post("/foresee", operation_id="foresee_tuning", responses=refusals())
async def foresee(what: Tuning, _: Payer, at: At) -> ForeseenView:
    """Memory, time and disk that a tuning would take, by a short probe. Ask again while `checked` is false."""
    wanted, root = _wanted(what), at.project.config.root
    await at.quickly(lambda: _refuse(at, wanted))
    key = ("foresee", json.dumps(asdict(wanted), sort_keys=True))
    found = await _asked(at, key, lambda tick: foreseeing.ask(root, wanted, tick=tick))
    return ForeseenView(checked=found is not None, foreseen=found)


@router.post("/tunings", operation_id="begin_tuning", status_code=202, responses=refusals())
async def begin(what: Tuning, caller: Payer, at: At) -> Started:
    """Tune, as a run in the background. What does not fit this machine fails there, saying what would."""
    wanted = _wanted(what)

    def work() -> Started:
        _refuse(at, wanted)
        return Started(run=at.background.finetune(wanted, payer=caller.key))

    return await at.quickly(work)


@router.post("/turns", operation_id="begin_turn", status_code=202, responses=refusals())
async def turn(what: Turn, caller: Payer, at: At) -> Started:
    """Turn the wheel once, as a run in the background; what passes its gate is proposed, and nothing is released."""

    def work() -> Started:
        if what.data and what.data not in (known := suites.names(at.project.config.root)):
            cure = f"name a suite for training, since corrected answers are harvested into it: {', '.join(known)}"
            raise Fault(400, f"data: '{what.data}' is no suite; {cure}", code="invalid_value", param="data")
        wanted = improving.settled(at.project.parts, improving.Wanted(**what.model_dump()))
        return Started(run=at.background.improve(wanted, payer=caller.key))

    return await at.quickly(work)


@router.get("/tunings/{run}", operation_id="show_tuning", responses=refusals(404))
async def course(
    run: Run,
    _: Learner,
    at: At,
    after: Annotated[int, Query(ge=0, description="Points that are known already.")] = 0,
) -> Course:
    """What was wanted, and what the trainer said of every step so far."""
    return await at.quickly(lambda: _course(at, run, after))


@router.post("/tunings/{run}/keep", operation_id="stop_and_keep_tuning", responses=refusals(404, 409))
async def keep(run: Run, caller: Learner, at: At) -> RunView:
    """End a tuning after the step that it is at, with the best adapter so far. A whole turn goes on with that."""
    return await moved(at, run, lambda id_: ending.stop_and_keep(at.project.parts, id_), caller)


@router.post("/tunings/{run}/variant", operation_id="add_tuned_variant", status_code=202, responses=refusals(404, 409))
async def variant(run: Run, _: Learner, at: At) -> Started:
    """Make a variant of the application with what was tuned: the file that would be served, as a run."""

    def work() -> Started:
        found = _course(at, run, 0)
        app = str(found.wanted.get("app", ""))
        if not found.adapter or not app:
            what = f"run {found.run} made no adapter" if not found.adapter else f"run {found.run} tuned no application"
            raise Fault(409, f"{what}; name a tuning of an application that is done", code="conflict")
        return Started(run=at.background.add(found.adapter, app=app))

    return await at.quickly(work)


def _wanted(what: Tuning) -> tuning.Wanted:
    return tuning.Wanted(**what.model_dump())


def _refuse(at: Service, wanted: tuning.Wanted) -> None:
    """Raises UserError for names, settings and data that cannot be tuned, before a run is queued."""
    tuning.refuse_unknown(at.project.parts, wanted)
    learnable.cases_of(at.project.parts, wanted.data)


def _course(at: Service, run: str, after: int) -> Course:
    try:
        return courses.course(at.project.parts, run, after=after)
    except UserError as error:
        raise missing(error) from None


def _tick(at: Service, key: Hashable) -> Callable[[], None]:
    """Ends a look when the service closes, and when nobody has asked for it for a while."""

    def tick() -> None:
        if at.closing.is_set():
            raise Cancelled("the service closes")
        if time.monotonic() - at.asked.get(key, 0.0) > LEFT:
            at.asked.pop(key, None)
            raise Cancelled("nobody waits for it any more")

    return tick


async def _asked(at: Service, key: Hashable, make: Callable[[Callable[[], None]], Found]) -> Found | None:
    """What takes longer than a request should, None while it is not known; it ends when nobody asks again."""
    at.asked[key] = time.monotonic()
    tick = _tick(at, key)
    try:
        found: Found | None = await at.lookup.get(key, lambda: make(tick), seconds=PATIENCE)
    except Cancelled:
        if at.closing.is_set():
            raise
        return None  # it had just ended, since nobody asked: who asks again begins it anew
    if found is not None:
        at.asked.pop(key, None)
    return found


async def _long(at: Service, key: tuple[str, ...], make: Callable[[], Found]) -> Found:
    """What may take seconds, and no quick thread. Raises Cancelled where the service closes meanwhile."""
    found = await at.lookup.get(key, make)
    if found is None:
        raise Cancelled("the service closes")
    return found
