"""Two reports before a judge: which answers are better, asked in both orders, so that the place cancels out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gatewheel.data import suites
from gatewheel.evals.judge import Preferred
from gatewheel.evals.metrics import judge as metric
from gatewheel.evals.people import PLACES, pair
from gatewheel.evals.statistics import ppi
from gatewheel.evals.statistics.intervals import Interval, interval
from gatewheel.evals.statistics.resampling import plain_mean
from gatewheel.kernel.errors import UserError
from gatewheel.loop import labelling, probation, reports, verdicts
from gatewheel.loop.evaluate import put
from gatewheel.loop.probation import Places, Standing
from gatewheel.loop.progress import Notes, OnProgress
from gatewheel.loop.serving import as_served

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.evals.statistics.ppi import Powered
    from gatewheel.loop.compose import Parts
    from gatewheel.loop.reports import Kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Duel:
    """What a judge prefers of two reports, over the cases that both answered and on which they differ.

    `undecided` are cases of which it said something else in the other order: half a win for each. `share` is b's share
    of wins, raw; `corrected` by people who compared some of these very pairs, if there are any.
    """

    a: Kept
    b: Kept
    wins: int
    losses: int
    ties: int
    undecided: int
    alike: int
    share: float
    interval: Interval
    places: Places
    standing: Standing
    corrected: Powered | None


def reports_of(parts: Parts, name: str, a: str, b: str) -> tuple[Kept, Kept]:
    """The two reports, named as for `evals compare`, which a judge may compare.

    Raises ConfigError for what is no judge, UserError for reports of different suites.
    """
    probation.settings_of(parts.config, name)
    first, second = reports.find(parts.engine, a), reports.find(parts.engine, b)
    if first.report.suite != second.report.suite:
        raise UserError(f"{a} and {b} are reports of different suites", cure="name two of one suite")
    return first, second


def duel(parts: Parts, name: str, a: str, b: str, *, ask: bool = True, on_progress: OnProgress | None = None) -> Duel:
    """Let a judge compare two reports, named as for `evals compare`. What it said before is not asked again.

    Unless it may `ask` it has said all before. Raises what `reports_of` raises, UserError where it has not, ModelError.
    """
    settings, (first, second) = probation.settings_of(parts.config, name), reports_of(parts, name, a, b)
    known = {put(case): case for case in suites.load(parts.config.root, first.report.suite).cases}
    said: dict[str, Preferred] = {}
    alike = 0
    with as_served(parts) as served:
        kept, models = verdicts.ProjectVerdicts(served), served.model if ask else _nobody
        judge = metric.create(settings, models=models, verdicts=kept, root=parts.config.root)
        both = [case for case in first.cases if case in second.cases]
        shared = [case for case in both if first.cases[case].key == second.cases[case].key]
        shared = [case for case in shared if first.cases[case].key in known]
        notes = Notes(f"judge {name}", len(shared), on_progress)
        for case in shared:
            asked, answers = judge.asked, [reports.answer(parts.engine, one, case) for one in (first, second)]
            one, other = answers
            if one is not None and other is not None:
                if one.answer.split() == other.answer.split():
                    alike += 1
                else:
                    said[case] = judge.prefer(known[first.cases[case].key], one, other)
            notes.take(known=judge.asked == asked)
    if not said:
        what = f"there is nothing to compare: of {alike} cases both said the same"
        if changed := len(both) - len(shared):
            what += f", {changed} cases ask something else by now"
        raise UserError(what, cure="name two that differ, of the suite as it is")
    return _told(parts, name, (first, second), said, alike)


def as_result(found: Duel) -> dict[str, Any]:
    """What a run leaves as its result. Whoever reads it may see all of the duel again, since every word is kept."""
    said = {key: getattr(found, key) for key in ("wins", "losses", "ties", "undecided", "alike", "share")}
    return {"a": found.a.report.id, "b": found.b.report.id, **said}


def _nobody(_: str) -> NoReturn:
    raise UserError("the judge, its rubric or the answers changed meanwhile", cure="run `gatewheel evals prefer` again")


def _told(parts: Parts, name: str, both: tuple[Kept, Kept], said: dict[str, Preferred], alike: int) -> Duel:
    a, b = both
    clusters = {row.case: row.cluster for row in a.report.rows}
    names = [clusters.get(case, "") for case in said]
    scores = np.array([PLACES.get(one.better, 0.5) for one in said.values()], np.float64)
    people = _people(parts.engine, a, b)
    labels = np.array([people.get(case, np.nan) for case in said], np.float64)
    corrected = None
    if np.isfinite(labels).any():
        corrected = ppi.mean(labels, scores, clusters=names, bounds=(0.0, 1.0))
    counted = [one.better for one in said.values()]
    return Duel(
        a=a,
        b=b,
        wins=counted.count("b"),
        losses=counted.count("a"),
        ties=counted.count("tie"),
        undecided=counted.count(""),
        alike=alike,
        share=float(scores.mean()),
        interval=interval(scores[:, None], plain_mean, clusters=names, bounds=(0.0, 1.0)),
        places=probation.places(list(said.values())),
        standing=probation.standing(parts, name),
        corrected=corrected,
    )


def _people(engine: Engine, a: Kept, b: Kept) -> dict[str, float]:
    """case → share of the people who preferred b's answer to a's, a tie being half."""
    first, second = labelling.sides(a), labelling.sides(b)
    found: dict[str, dict[str, float]] = {}
    given = [label for label in labelling.labels(engine, a.report.suite) if label.better]
    ids = {asked.key: case for case, asked in a.cases.items()}
    for label in given:
        key = label.item.case
        if key in first and key in second and label.item == pair(key, first[key], second[key]).item:
            place = PLACES[label.better]
            found.setdefault(ids[key], {})[label.rater] = place if label.item.a == first[key] else 1 - place
    return {case: sum(votes.values()) / len(votes) for case, votes in found.items()}
