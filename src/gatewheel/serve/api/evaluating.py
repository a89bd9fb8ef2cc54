"""Evaluation that takes long, begun over HTTP as a run: a suite is put to its targets, a candidate before its gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gatewheel.data import suites
from gatewheel.kernel import config
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import beside, evaluate, gating
from gatewheel.loop.detecting import detectable
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.gating import Asked
from gatewheel.serve.access import may
from gatewheel.serve.api.runs import Started
from gatewheel.serve.api.wire import Words, missing, refusals, seen
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api")
Operator = Annotated[Caller, Depends(may("operate"))]
Payer = Annotated[Caller, Depends(may("operate", paying=True))]
At = Annotated[Service, Depends(service)]
Suite = Annotated[Words, Path(description="Which suite.")]
Limit = Annotated[int, Query(ge=0, le=10_000_000, description="So many cases only, always the same; 0: all.")]
MOST = 32  # targets of one run


class Evaluation(BaseModel):
    """Whom to ask the cases of a suite; nobody named: whom the suite names."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    apps: tuple[Words, ...] = Field((), max_length=MOST, description="Names of [app.*].")
    models: tuple[Words, ...] = Field((), max_length=MOST, description="Names of [model.*], asked by themselves.")
    limit: int = Field(0, ge=0, le=10_000_000, description="So many cases only, always the same; 0: all.")


class Candidate(BaseModel):
    """Who stands before the gate."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    variant: Annotated[Words, Field(min_length=1, description="An [app.*], or the beginning of a variant's id.")]
    gate: Words = Field("", description="Which [gate.*] of the application; its only one if empty.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tells:
    """The smallest difference in a metric that `cases` show four times in five; null where nothing is known.

    `bounds` are the least and the greatest value of a case. `basis` says where the spread was taken from.
    """

    metric: str
    cases: int
    difference: float | None
    bounds: tuple[float | None, float | None]
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """Whom a suite can be put to, and what so many `cases` of its `of` can tell."""

    suite: str
    cases: int
    of: int
    target: str
    apps: list[str]
    models: list[str]
    tells: list[Tells]


@router.get("/evals/suites/{suite}", operation_id="foresee_evaluation", responses=refusals(404), tags=["evals"])
async def foresee(suite: Suite, caller: Operator, at: At, limit: Limit = 0) -> Asking:
    """What a run of a suite can tell before anybody is asked: the smallest difference that it would find."""
    return await at.quickly(lambda: _foreseen(at, suite, limit, caller))


@router.post(
    "/evals/suites/{suite}/run",
    operation_id="run_evaluation",
    status_code=202,
    responses=refusals(404),
    tags=["evals"],
)
async def run(suite: Suite, what: Evaluation, caller: Payer, at: At) -> Started:
    """Ask the cases of a suite and score the answers, as a run in the background. Nothing is asked twice."""

    def work() -> Started:
        _loaded(at, suite, caller)
        for kind, names in (("app", what.apps), ("model", what.models)):
            for name in names:
                at.project.config.table(kind, name)
        targets = [(app, "") for app in what.apps] + [("", model) for model in what.models] or [("", "")]
        wanted = [Wanted(suite=suite, app=app, model=model, limit=what.limit) for app, model in targets]
        return Started(run=at.background.evaluate(wanted, payer=caller.key))

    return await at.quickly(work)


@router.post(
    "/releases/{app}/gate",
    operation_id="ask_gate",
    status_code=202,
    responses=refusals(404, 409),
    tags=["releases"],
)
async def ask_gate(
    app: Annotated[Words, Path(description="Which [app.*].")], what: Candidate, caller: Payer, at: At
) -> Started:
    """Let a gate of an application decide on a candidate, as a run in the background."""

    def work() -> Started:
        parts = at.project.parts
        try:
            parts.config.table("app", app)
        except ConfigError as error:
            raise missing(error) from None
        asked = Asked(candidate=what.variant, gate=_gate(at, app, what.gate), author=caller.key)
        try:
            gating.refuse_unknown(parts, asked)
        except UserError as error:
            raise Fault(409, seen(error, caller, "the gate refuses it"), code="conflict") from None
        return Started(run=at.background.gate(asked))

    return await at.quickly(work)


def _gate(at: Service, app: str, named: str) -> str:
    from gatewheel.loop.releasing import gates_of

    mine = gates_of(config.load(at.project.config.path), app)  # as the run will read it
    if named not in mine if named else len(mine) != 1:
        which = f"[gate.{named}] does not guard [app.{app}]" if named else f"[app.{app}] has {len(mine)} gates"
        cure = f"name one of {', '.join(mine)}" if mine else "write a [gate.*] for it"
        raise Fault(409, f"{which}; {cure}", code="conflict", param="gate")
    return named or mine[0]


def _loaded(at: Service, name: str, caller: Caller) -> suites.Suite:
    if name not in suites.names(at.project.config.root):
        raise Fault(404, f"no suite '{name}'; see the list of suites", code="not_found", param="suite")
    try:
        return suites.load(at.project.config.root, name)
    except UserError as error:
        if caller.groups is None:
            raise
        what = seen(error, caller, f"suite '{name}' cannot be read")
        raise Fault(400, what, code="invalid_value", param="suite") from None


def _foreseen(at: Service, name: str, limit: int, caller: Caller) -> Asking:
    parts, suite = at.project.parts, _loaded(at, name, caller)
    cases = evaluate.chosen(suite.cases, limit)
    metrics = evaluate.metrics_of(parts, suite.metrics)
    found = detectable(parts.engine, evaluate.scored_by(parts, suite), cases, metrics)
    return Asking(
        suite=name,
        cases=len(cases),
        of=len(suite.cases),
        target=f"{suite.target} {suite.target_name}",
        apps=sorted(parts.config.names("app")),
        models=sorted(parts.config.names("model")),
        tells=[
            Tells(
                metric=one.metric,
                cases=one.cases,
                difference=one.difference,
                bounds=beside.bounds(metrics[one.metric]),
                basis=one.basis,
            )
            for one in found
        ],
    )
