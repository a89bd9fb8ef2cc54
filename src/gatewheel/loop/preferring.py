"""Two reports before a judge: which answers are better, asked in both orders, so that the place cancels out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.data import suites
from gatewheel.evals.judge import Preferred
from gatewheel.evals.metrics import judge as metric
from gatewheel.evals.people import PLACES, pair
from gatewheel.evals.statistics import ppi
from gatewheel.evals.statistics.intervals import Interval, interval
from gatewheel.kernel.errors import UserError
from gatewheel.loop import labelling, probation, reports, verdicts
from gatewheel.loop.probation import Places, Standing
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


def duel(parts: Parts, name: str, a: str, b: str, *, on_progress: Callable[[int, int], None] = lambda *_: None) -> Duel:
    """Let a judge compare two reports, named as for `evals compare`. What it said before is not asked again.

    Raises ConfigError for what is no judge, UserError for reports of different suites, ModelError.
    """
    settings = probation.settings_of(parts.config, name)
    first, second = reports.find(parts.engine, a), reports.find(parts.engine, b)
    if first.report.suite != second.report.suite:
        raise UserError(f"{a} and {b} are reports of different suites", cure="name two of one suite")
    known = {case.id: case for case in suites.load(parts.config.root, first.report.suite).cases}
    said: dict[str, Preferred] = {}
    alike = 0
    with as_served(parts) as served:
        judge = metric.create(settings, models=served.model, verdicts=verdicts.Memory(served), root=parts.config.root)
        both = [case for case in first.cases if case in second.cases and case in known]
        for number, case in enumerate(both, 1):
            one, other = (reports.answer(parts.engine, kept, case) for kept in (first, second))
            if one is None or other is None:
                continue
            if one.answer.split() == other.answer.split():
                alike += 1
                continue
            said[case] = judge.prefer(known[case], one, other)
            on_progress(number, len(both))
    if not said:
        raise UserError(
            f"there is nothing to compare: of {alike} cases both said the same", cure="name two that differ"
        )
    return _told(parts, name, (first, second), said, alike)


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
        interval=interval(scores[:, None], lambda rows: float(rows.mean()), clusters=names, bounds=(0.0, 1.0)),
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
