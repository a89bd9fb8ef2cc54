"""Which model, which variant: all candidates of a suite with what each is worth, takes, costs and allows.

Quality comes from the newest whole report of each variant, what it took from the answers that were kept, the rest from
the catalogue and from measurements of this machine. Asks nobody anything; what is not known is said to be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewheel.data import suites
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.numbers import finite
from gatewheel.loop import comparing, probation, reports, showing, usages, variants
from gatewheel.loop.candidates import Candidate, Choice, Cost, Speed, Waiting, lacking
from gatewheel.loop.evaluate import metrics_of, scored_by
from gatewheel.loop.footing import Footing, Models, today
from gatewheel.loop.fronts import Pairs
from gatewheel.loop.prices import FREE
from gatewheel.loop.reports import Kept
from gatewheel.loop.serving import as_served

if TYPE_CHECKING:
    from gatewheel.data.suites import Suite
    from gatewheel.kernel.ports import Metric
    from gatewheel.loop.compose import Parts
    from gatewheel.loop.evaluated import Head

LOOK_BACK = 100  # reports among which the variants are sought
MOST = 24  # candidates: each pair of them is compared
LEVEL = 0.95
JUDGED = "{} is what a judge says, and raw that is no finding: `gatewheel evals compare` has it corrected by people"
COSTS: tuple[Cost, ...] = ("price", "seconds", "memory", "size")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A candidate before it is compared."""

    kept: Kept
    name: str
    current: bool
    figure: comparing.Figure
    took: Mapping[usages.Which, usages.Took]
    speed: Speed | None
    footing: Footing | None
    price: float | None

    @property
    def id(self) -> str:
        """By which it is told from others; two may go by one name."""
        return self.kept.report.id

    @property
    def cases(self) -> int:
        """How many its report has, answered or failed."""
        return len(self.kept.cases)

    @property
    def idle(self) -> bool:
        """Whether no model was called for any answer."""
        return bool(self.took) and not any(one.called for one in self.took.values())


def choice(
    parts: Parts, suite: str, *, metric: str = "", cost: Cost = "price", margin: float = 0.0, measure: bool = False
) -> Choice:
    """The candidates of a suite by one of its metrics; if it is empty by the first, rather one that is no judge.

    `measure` loads local models whose memory is not known, each in a process of its own. Raises UserError for a suite
    that nobody knows, or a metric that it has not.
    """
    with as_served(parts) as served:
        here, suite_id = _state(served, suite)
        kept, notes = _newest(served, suite, suite_id)
        names = comparing.picked(kept[0].report, ()) if kept else list(here.metrics if here else ())
        if metric and metric not in names:
            raise UserError(f"suite {suite} has no metric '{metric}'", cure=did_you_mean(metric, names))
        judges = probation.names(served.config)
        name = metric or next((one for one in names if one not in judges), names[0])
        by = metrics_of(served, [name])[name]
        models = Models(served, suite=suite, measure=measure)
        found = _ranked([_found(served, one, name, by, models) for one in _named(served, kept, here)], by)
        made = _candidates(found, name, by, cost, margin)
        return Choice(
            suite=suite,
            suite_id=suite_id,
            metrics=names,
            metric=name,
            better=by.better,
            bounds=(finite(by.bounds[0]), finite(by.bounds[1])),
            cost=cost,
            margin=margin,
            level=LEVEL,
            cases=_most(found) or (len(here.cases) if here else 0),
            candidates=made,
            waiting=_waiting(served, here, suite, found, models) if here else [],
            notes=[*([JUDGED.format(name)] if name in judges else []), *lacking(made), *notes, *_notes(found)],
        )


def _state(parts: Parts, name: str) -> tuple[Suite | None, str]:
    """The suite with the id of its present state; without its files, that of its newest report."""
    try:
        suite = suites.load(parts.config.root, name)
        return suite, scored_by(parts, suite)
    except UserError:
        newest = reports.heads(parts.engine, limit=1, suite=name)
        if not newest:
            raise
        return None, newest[0].suite_id


def _newest(parts: Parts, suite: str, suite_id: str) -> tuple[list[Kept], list[str]]:
    """Of each variant the newest of the reports with the most cases, and what to say about those left out."""
    best: dict[str, Head] = {}
    for one in reports.heads(parts.engine, limit=LOOK_BACK, suite=suite, suite_id=suite_id):
        before = best.setdefault(one.variant, one)
        if one.cases > before.cases:
            best[one.variant] = one
    kept, notes = sorted(best.values(), key=lambda one: -one.created), []
    if not kept and (older := reports.heads(parts.engine, limit=1, suite=suite)):
        notes.append(f"all reports are of an earlier state of the suite, the newest of {older[0].target}")
    if len(kept) > MOST:
        notes.append(f"{len(kept) - MOST} variants with older reports are left out")
    return [reports.get(parts.engine, one.id) for one in kept[:MOST]], notes


def _named(parts: Parts, kept: Sequence[Kept], suite: Suite | None) -> list[tuple[Kept, str, bool]]:
    """Each report with a name to show, and whether the file and the suite make its variant today."""
    made = []
    every = [one.target for one in kept]
    for one in kept:
        current = today(parts, one.target, suite) == one.report.variant
        alone = current or every.count(one.target) == 1
        made.append((one, one.target if alone else f"{one.target} {one.report.variant[:8]}", current))
    return made


def _recipe(parts: Parts, kept: Kept) -> Mapping[str, Any]:
    """What the variant of a report is made of; nothing where it was not kept."""
    try:
        return variants.get(parts.engine, kept.report.variant).recipe
    except UserError:
        return {}


def _found(parts: Parts, named: tuple[Kept, str, bool], metric: str, by: Metric, models: Models) -> _Found:
    kept, name, current = named
    [figure] = comparing.figures(kept.report, {metric: by}, level=LEVEL)
    took = usages.took(parts.engine, kept)
    recipe = _recipe(parts, kept).get("model")
    footing = models.of(recipe) if recipe else None
    prices = footing.prices if footing else None
    return _Found(
        kept=kept,
        name=name,
        current=current,
        figure=figure,
        took=took,
        speed=usages.speed(took, {row.case: row.cluster for row in kept.report.rows}, level=LEVEL),
        footing=footing,
        price=usages.price(list(took.values()), prices),
    )


def _ranked(found: Sequence[_Found], by: Metric) -> list[_Found]:
    """The best figure first; below all others those of fewer cases, by which luck goes further."""
    sign, most = -1 if by.better == "higher" else 1, _most(found)
    return sorted(
        found,
        key=lambda one: (math.isnan(one.figure.value), one.cases < most, sign * one.figure.value, one.name),
    )


def _most(found: Sequence[_Found]) -> int:
    """Cases of the largest report."""
    return max((one.cases for one in found), default=0)


def _candidates(found: Sequence[_Found], metric: str, by: Metric, cost: Cost, margin: float) -> list[Candidate]:
    whole = [one for one in found if one.figure.n and one.cases == _most(found)]
    costs = {one.id: value for one in whole if (value := _cost(one, cost)) is not None}
    pairs = Pairs(
        reports={one.id: one.kept.report for one in found},
        metric=metric,
        by=by,
        costs=costs,
        timed={one.id: usages.seconds_by_case(one.took) for one in found} if cost == "seconds" else {},
        margin=margin,
        level=LEVEL,
    )
    numbers = {one.id: at for at, one in enumerate(found, 1)}
    rest = [one.id for one in found[1:] if one.figure.n]
    gaps = pairs.gaps(found[0].id, rest, 1) if rest else {}
    made = []
    for one in found:
        placed = one.id in costs and not pairs.raw
        beaten = [numbers[other] for other in pairs.beaten_by(one.id)] if placed else []
        made.append(
            _candidate(one, numbers[one.id])
            | {"gap": gaps.get(one.id), "front": not beaten if placed else None, "beaten_by": beaten}
        )
    return [Candidate(**one) for one in made]


def _candidate(one: _Found, number: int) -> dict[str, Any]:
    report, footing = one.kept.report, one.footing
    return {
        "number": number,
        "name": one.name,
        "target": one.kept.target,
        "variant": report.variant,
        "report": report.id,
        "created": report.created,
        "current": one.current,
        "cases": one.cases,
        "model": footing.name if footing else "",
        "title": "no model is called" if one.idle else footing.title if footing else "",
        "engine": "" if one.idle or not footing else footing.engine,
        "context_length": footing.context_length if footing else None,
        "quality": showing.measured(one.figure),
        "speed": one.speed,
        "memory": _cost(one, "memory"),
        "size": _cost(one, "size"),
        "price": one.price,
        "terms": None if one.idle or not footing else footing.terms,
        "missing": _missing(one),
    }


def _cost(one: _Found, cost: Cost) -> float | None:
    match cost:
        case "price":
            return one.price
        case "seconds":
            return one.speed.seconds if one.speed else None
    if one.idle:
        return 0
    return getattr(one.footing, cost) if one.footing else None


def _missing(one: _Found) -> dict[str, str]:
    made = dict(one.footing.missing) if one.footing else {}
    if one.footing is None and not one.idle:
        made |= dict.fromkeys(("memory", "size", "licence"), "its recipe was not kept")
    if one.idle:
        made = {}
    if one.speed is None:
        made["speed"] = "every case failed, so nothing was timed"
    elif one.speed.first_median is None:
        made["speed"] = "no model is called" if one.idle else "the model told no times"
    if one.price is not None:
        made.pop("price", None)
    elif "price" not in made:
        made["price"] = "not known: the endpoint counts no tokens, or an answer has none"
    return made


def _waiting(parts: Parts, suite: Suite, name: str, found: Sequence[_Found], models: Models) -> list[Waiting]:
    """Applications and models of the file whose present variant has no report; models where the suite asks models."""
    asked = {one.kept.target for one in found if one.current}
    before = {one.kept.target for one in found}
    kinds = {suite.target, *(one.kept.target.partition(" ")[0] for one in found)} & {"app", "model"}
    made = []
    for kind in sorted(kinds):
        for each in parts.config.names(kind):
            target = f"{kind} {each}"
            if target in asked:
                continue
            why = "it has changed since its report" if target in before else ""
            if kind == "model" and models.recipe(parts.config.table("model", each)) is None:
                why = "its weights are not here"
            made.append(Waiting(name=target, command=f"gatewheel evals run {name} --{kind} {each}", why=why))
    return made


def _notes(found: Sequence[_Found]) -> list[str]:
    made = []
    corpora = {corpus for one in found for asked in one.kept.cases.values() if (corpus := asked.corpus)}
    if len(corpora) > 1:
        made.append("the documents changed between these reports, so their figures are not of the same task")
    most = _most(found)
    if fewer := [f"{one.name} {one.cases}" for one in found if one.cases < most]:
        told = f"of {most} cases only some were asked: {', '.join(fewer)}"
        made.append(f"{told}; they stand last, are compared over the cases that both have, and beat nobody")
    failed = [f"{one.name} {one.kept.errors}" for one in found if one.kept.errors]
    if failed:
        made.append(f"failed cases: {', '.join(failed)}; their times and tokens are not counted")
    if any(one.footing and one.footing.prices == FREE and not one.idle for one in found):
        made.append("$0 is of what runs on this machine: the machine itself and its electricity are not counted")
    if len(found) > 1:
        made.append("the best of several on a suite looks better than it is: keep another suite for the last word")
    return made
