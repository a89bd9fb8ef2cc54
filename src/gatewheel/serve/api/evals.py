"""`/api/evals`: suites, reports, and reports side by side. Runs of evaluations stand in `/api/runs`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query

from gatewheel.data import suites
from gatewheel.evals import resolve
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import beside, comparing, evaluate, reports
from gatewheel.loop.beside import Beside, CaseBeside, Show, Slices
from gatewheel.loop.columns import metrics_in
from gatewheel.loop.evaluated import Head
from gatewheel.loop.recipes import digest
from gatewheel.loop.reports import Kept
from gatewheel.ops import keys
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing, refusals, seen
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api/evals", tags=["evals"])
Result = TypeVar("Result")
Operator = Annotated[Caller, Depends(may("operate"))]
At = Annotated[Service, Depends(service)]
Ids = Annotated[
    list[Words],
    Query(
        alias="report", min_length=1, max_length=beside.MOST, description="Ids or beginnings; the first is the base."
    ),
]

Margin = Annotated[
    float, Query(ge=0, le=1, allow_inf_nan=False, description="What does not matter, a share of a metric's range.")
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteView:
    """Cases and how they are scored. `target` is who is asked, such as "app main"; `slices` are tags with meanings.

    Reports with this `suite_id` are of its present state. `fault` says why it cannot be read; the rest is then empty.
    """

    name: str
    suite_id: str
    target: str
    split: str
    cases: int
    metrics: list[str]
    slices: dict[str, str]
    fault: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evals:
    """The suites of a project, and its reports, the newest first."""

    suites: list[SuiteView]
    reports: list[Head]


@dataclass(frozen=True, kw_only=True, slots=True)
class CasesBeside:
    """A page of cases of the reports, of `total` that are wanted; `metric` is the one by which they differ."""

    reports: list[str]
    metric: str
    total: int
    cases: list[CaseBeside]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which cases, and how many of them."""

    metric: Annotated[Words, Query(description="By which to tell what differs; the first one if empty.")] = ""
    slice: Annotated[Words, Query(description="Only cases with this tag.")] = ""
    show: Annotated[Show, Query(description="All, those that differ (most first), or those with an error.")] = "all"
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Query(ge=1, le=100)] = 20


@router.get("", operation_id="list_evals", responses=refusals())
async def listed(
    caller: Operator,
    at: At,
    suite: Annotated[Words, Query(description="Only reports of this suite.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Evals:
    """Suites and reports."""

    def look() -> Evals:
        found = reports.heads(at.project.parts.engine, limit=limit, suite=suite)
        known = suites.names(at.project.config.root)
        return Evals(suites=[_suite(at, name, caller) for name in known], reports=found)

    return await at.quickly(look)


@router.get("/compare", operation_id="compare_reports", responses=refusals(404))
async def compare(
    ids: Ids,
    _: Operator,
    at: At,
    margin: Margin = 0.02,
) -> Beside:
    """Figures of one report or of several over all cases, with intervals, and differences to the first."""
    parts = at.project.parts

    def work(kept: list[Kept]) -> Beside:
        names = metrics_in(kept[0].report)
        found = _once(at, ("all", margin), kept, names, lambda: beside.beside(parts, kept, margin=margin))
        return replace(found, reports=[reports.head(one) for one in kept])  # made again, a report is newer

    return await at.quickly(lambda: with_reports(at, ids, work))


@router.get("/slices", operation_id="compare_report_slices", responses=refusals(404))
async def slices(
    ids: Ids,
    _: Operator,
    at: At,
    metric: Annotated[Words, Query(description="By which; the first one if empty.")] = "",
    margin: Margin = 0.02,
) -> Slices:
    """The same slice by slice by one metric."""
    parts = at.project.parts

    def work(kept: list[Kept]) -> Slices:
        names = comparing.picked(kept[0].report, [metric] if metric else ())[:1]
        what = ("slices", margin, metric)
        return _once(at, what, kept, names, lambda: beside.slices(parts, kept, metric=metric, margin=margin))

    return await at.quickly(lambda: with_reports(at, ids, work))


@router.get("/rows", operation_id="list_report_rows", responses=refusals(404))
async def rows(ids: Ids, wanted: Annotated[Wanted, Depends()], caller: Operator, at: At) -> CasesBeside:
    """Case by case what each report has of it, for who sees every document: answers quote them."""
    if caller.groups is not None:
        message = f"questions and answers of a suite need a key of the group '{keys.EVERY}'; figures do not"
        raise Fault(403, message, code="insufficient_groups")
    return await at.quickly(lambda: with_reports(at, ids, lambda kept: _rows(at, kept, wanted)))


def with_reports(at: Service, ids: list[str], work: Callable[[list[Kept]], Result]) -> Result:
    """What is made of these reports. Raises Fault 404 for one unknown."""
    try:
        kept = beside.found(at.project.parts.engine, ids)
    except UserError as error:
        raise missing(error) from None
    return work(kept)


def _once(
    at: Service, what: tuple[str | float, ...], kept: list[Kept], names: list[str], make: Callable[[], Result]
) -> Result:
    """What is made of reports, remembered: they never change, and what else decides it is how metrics are set."""
    told = [resolve.recipe(at.project.config, name) for name in names]
    return at.compared.get((*what, *(one.report.id for one in kept), digest(told)), make)


def _rows(at: Service, kept: list[Kept], wanted: Wanted) -> CasesBeside:
    found = beside.cases(kept, metric=wanted.metric, tag=wanted.slice, show=wanted.show)
    page = found[wanted.offset : wanted.offset + wanted.limit]
    return CasesBeside(
        reports=[one.report.id for one in kept],
        metric=wanted.metric or next(iter(metrics_in(kept[0].report)), ""),
        total=len(found),
        cases=beside.told(at.project.parts.engine, kept, page),
    )


def _suite(at: Service, name: str, caller: Caller) -> SuiteView:
    try:
        suite = suites.load(at.project.config.root, name)
    except UserError as error:
        fault = seen(error, caller, "it cannot be read")
        return SuiteView(name=name, suite_id="", target="", split="", cases=0, metrics=[], slices={}, fault=fault)
    return SuiteView(
        name=name,
        suite_id=evaluate.scored_by(at.project.parts, suite),
        target=f"{suite.target} {suite.target_name}",
        split=suite.split,
        cases=len(suite.cases),
        metrics=list(suite.metrics),
        slices=dict(suite.slices),
        fault="",
    )
