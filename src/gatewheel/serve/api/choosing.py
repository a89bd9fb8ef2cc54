"""`/api/evals/models`: candidates of a suite side by side with what they take, cost and allow, and the plot of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from gatewheel.data import suites
from gatewheel.evals.plots.element import Element
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import drawing, reports
from gatewheel.loop.candidates import Choice, Cost
from gatewheel.loop.choosing import choice
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals, seen
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api/evals", tags=["evals"])
Operator = Annotated[Caller, Depends(may("operate"))]
At = Annotated[Service, Depends(service)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The suites that may be chosen, and the candidates of one; null where there is no suite.

    `wide` and `narrow` are the plot as elements of SVG, for pages of about 880 and 370 pixels; null where no candidate
    has both figures.
    """

    suites: list[str]
    choice: Choice | None
    wide: Element | None
    narrow: Element | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """By what to choose."""

    suite: Annotated[Words, Query(description="Which suite; that of the newest report if empty.")] = ""
    metric: Annotated[
        Words, Query(description="The quality; if empty the first metric of the suite that is no judge.")
    ] = ""
    cost: Annotated[Cost, Query(description="What is held against it.")] = "price"
    margin: Annotated[
        float, Query(ge=0, le=1, allow_inf_nan=False, description="What counts as equal, a share of a metric's range.")
    ] = 0.0


@router.get("/models", operation_id="choose_models", responses=refusals(404))
async def models(wanted: Annotated[Wanted, Depends()], caller: Operator, at: At) -> Chosen:
    """Every candidate of a suite: quality, speed, memory, size, price, licence, and which ones nothing surely beats.

    Nothing is asked or measured by this: quality comes from reports, what they took from the answers that were kept.
    """
    return await at.quickly(lambda: _chosen(at, wanted, caller))


def _chosen(at: Service, wanted: Wanted, caller: Caller) -> Chosen:
    parts = at.project.parts
    known = suites.names(parts.config.root)
    newest = reports.heads(parts.engine, limit=1)
    suite = wanted.suite or (newest[0].suite if newest else next(iter(known), ""))
    if not suite:
        return Chosen(suites=[], choice=None, wide=None, narrow=None)
    if suite not in known and not reports.heads(parts.engine, limit=1, suite=suite):
        raise missing(UserError(f"no suite and no report of the name '{suite[:80]}'", cure="choose one of the list"))
    try:
        found = choice(parts, suite, metric=wanted.metric, cost=wanted.cost, margin=wanted.margin)
    except UserError as error:
        if caller.groups is None:
            raise
        what = seen(error, caller, f"suite '{suite}' gives no candidates by this metric")
        raise Fault(400, what, code="invalid_value") from None
    return Chosen(
        suites=sorted({*known, suite}),
        choice=found,
        wide=drawing.front(found, wide=True, name="wide"),
        narrow=drawing.front(found, wide=False, name="narrow"),
    )
