"""`/api/evals/labels`: what labels come to, who gave the answers revealed: agreement, ranking, grades, preferences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from gatewheel.data import suites
from gatewheel.evals import people
from gatewheel.evals.people import Label
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import desk, label_files, label_shapes, labelling, reports
from gatewheel.loop.label_shapes import AgreedRow, RankedRow
from gatewheel.ops import keys
from gatewheel.serve.access import may
from gatewheel.serve.api.sheets import Rater, Sheet, desk_of, reveal, whole_ids
from gatewheel.serve.api.wire import Words, missing, refusals
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service, service

router = APIRouter(prefix="/api/evals/labels", tags=["evals"])
At = Annotated[Service, Depends(service)]
Suite = Annotated[Words, Query(min_length=1, max_length=64, description="Which suite.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterView:
    """A rater of the suite and how many labels they gave."""

    rater: str
    labels: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TallyView:
    """How often a rater preferred the answers of `a`, of `b` and neither, on this sheet."""

    rater: str
    a: int
    b: int
    ties: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedView:
    """What the answers of a variant got on a criterion, of which `least` and `most` are the ends."""

    variant: str
    target: str
    criterion: str
    mean: float
    low: float
    high: float
    least: int
    most: int
    items: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """What people said of a suite. `a` and `b` are the targets of the sheet; `preferences` are lines of an export.

    `preferences` is null where the key may not export them. `split` says what the cases are for.
    """

    suite: str
    split: str
    a: str
    b: str
    raters: list[RaterView]
    tally: list[TallyView]
    agreement: list[AgreedRow]
    ranking: list[RankedRow]
    grades: list[GradedView]
    level: float
    preferences: int | None


@router.get("", operation_id="get_labels", responses=refusals(404, 409))
async def come_to(which: Sheet, caller: Rater, at: At) -> Labelled:
    """What the labels come to, and whose the answers are. To raters only when they have labelled the whole sheet.

    Raters are told of their sheet alone, and can change nothing of it any more.
    """
    return await at.quickly(lambda: _come_to(at, which, caller))


@router.get("/raters", operation_id="list_raters", responses=refusals())
async def raters(suite: Suite, _: Annotated[Caller, Depends(may("operate"))], at: At) -> list[RaterView]:
    """Who labelled answers of a suite."""
    return await at.quickly(lambda: _raters(labelling.labels(at.project.parts.engine, suite)))


@router.get(
    "/export",
    operation_id="export_preferences",
    response_class=Response,
    responses={200: {"content": {"application/jsonl": {}}, "description": "One preference a line."}, **refusals(404)},
)
async def export(suite: Suite, caller: Annotated[Caller, Depends(may("operate"))], at: At) -> Response:
    """What people preferred as JSON Lines: messages, chosen, rejected. For those who see every document."""
    if caller.groups is not None:
        message = f"answers of a suite need a key of the group '{keys.EVERY}'"
        raise Fault(403, message, code="insufficient_groups")

    def work() -> str:
        try:
            return "".join(label_files.preferences(at.project.parts.engine, at.project.config.root, suite)[0])
        except UserError as error:
            raise missing(error) from None

    text = await at.quickly(work)
    headers = {"Content-Disposition": 'attachment; filename="preferences.jsonl"'}
    return Response(text.encode("utf-8"), media_type="application/jsonl", headers=headers)


def _come_to(at: Service, which: Any, caller: Caller) -> Labelled:
    parts, one = at.project.parts, desk_of(at, which, caller)
    if "operate" not in caller.scopes and any(not each.created for each in desk.stands(parts, one)):
        raise Fault(409, "whose answers they are is told when all are labelled", code="conflict")
    reveal(at, which, caller)
    kept = [reports.get(parts.engine, id_) for id_ in whole_ids(at, caller, which.report)]
    suite, engine = one.sheet.suite, parts.engine
    these, given = labelling.known(engine, suite), labelling.labels(engine, suite)
    if "operate" not in caller.scopes:
        mine, asked = {blind.item for blind in one.items.values()}, {*one.sheet.criteria}
        given = [each for each in given if each.item in mine and {*each.scores} == asked]
    graded = people.grades(given, one.rubric, these.clusters)
    ends = {each.name: each for each in one.rubric}
    return Labelled(
        suite=suite,
        split=_split(at, suite),
        a=kept[0].target,
        b=kept[1].target if len(kept) > 1 else "",
        raters=_raters(given),
        tally=[] if one.rubric else _tally(given, kept[0].report.variant, kept[1].report.variant),
        agreement=[label_shapes.agreed(each) for each in people.agreement(given, these.clusters)],
        ranking=[label_shapes.ranked(each, these.names) for each in people.ranking(given, these.clusters)],
        grades=[
            GradedView(
                variant=each.variant,
                target=these.names.get(each.variant, ""),
                criterion=each.criterion,
                mean=each.mean,
                low=each.interval.low,
                high=each.interval.high,
                least=ends[each.criterion].low,
                most=ends[each.criterion].high,
                items=each.items,
            )
            for each in graded
        ],
        level=0.95,
        preferences=len(people.preferences(given)) if caller.groups is None and "operate" in caller.scopes else None,
    )


def _split(at: Service, suite: str) -> str:
    try:
        return suites.settings_of(at.project.config.root, suite).split
    except UserError:
        return ""


def _raters(given: list[Label]) -> list[RaterView]:
    return [RaterView(rater=name, labels=count) for name, count in sorted(Counter(one.rater for one in given).items())]


def _tally(given: list[Label], a: str, b: str) -> list[TallyView]:
    counts: dict[str, Counter[str]] = {}
    for one in given:
        second = one.item.b
        if not one.better or second is None or {one.item.a.variant, second.variant} != {a, b}:
            continue
        chosen = {"a": one.item.a.variant, "b": second.variant}.get(one.better, "")
        counts.setdefault(one.rater, Counter())[chosen] += 1
    return [TallyView(rater=rater, a=said[a], b=said[b], ties=said[""]) for rater, said in sorted(counts.items())]
