"""The shapes of `gatewheel evals judge|judges|prefer --json`, and how they are made of what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.kernel.numbers import finite

if TYPE_CHECKING:
    from gatewheel.kernel.config import Config
    from gatewheel.loop.preferring import Duel
    from gatewheel.loop.probation import NewRecord, Standing


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeRow:
    """A judge. `state` is on probation, admitted, failed or lapsed; only who is admitted counts in a gate.

    The rest is of its last measurement, null before the first: `agreement` is kappa weighted by squares with the mean
    of the people, over `answers`, of which `silent` got no verdict. `people` is Krippendorff's alpha of the people,
    `person` the kappa of one of them with the others. `same` is how often two answers were judged the same in both
    orders, `first` how often the first was taken, .5 being no bias. `steady` is the share of verdicts that say what
    they come to.
    """

    name: str
    state: str
    text: str
    model: str
    rubric: str
    golden: str
    bar: float
    judge: str | None
    measured: float | None
    answers: int | None
    silent: int | None
    raters: int | None
    agreement: float | None
    low: float | None
    high: float | None
    spearman: float | None
    accuracy: float | None
    people: float | None
    people_low: float | None
    people_high: float | None
    person: float | None
    steady: float | None
    same: float | None
    first: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """How agreement differs from the measurement before, on the `answers` that were judged both times."""

    before: float | None
    difference: float
    low: float | None
    high: float | None
    p: float
    answers: int
    verdict: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeShow:
    """`gatewheel evals judge`: what was measured now. `moved` is null at the first time.

    `forgotten` are verdicts on other answers that were dropped, since the judge says something else now.
    """

    judge: JudgeRow
    moved: Moved | None
    forgotten: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeList:
    """`gatewheel evals judges`"""

    judges: list[JudgeRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferShow:
    """`gatewheel evals prefer`: report b against a by a judge, a verdict counting only if it holds in both orders.

    `share` is b's share of wins, raw, with its interval. `corrected` is what people would say, by their labels of
    `labelled` of these pairs (PPI++); null where there are none. `first` is how often the first place was taken.
    """

    judge: JudgeRow
    a: str
    b: str
    wins: int
    losses: int
    ties: int
    undecided: int
    alike: int
    share: float
    low: float | None
    high: float | None
    same: float | None
    first: float | None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None
    labelled: int


def row(config: Config, standing: Standing) -> JudgeRow:
    """A judge as it stands."""
    settings = config.table("metric", standing.name).settings.model_dump()
    record = standing.record
    found, places = (record.agreement, record.places) if record else (None, None)
    return JudgeRow(
        name=standing.name,
        state=standing.state,
        text=standing.text,
        model=settings["model"],
        rubric=settings["rubric"],
        golden=settings["golden"],
        bar=settings["bar"],
        judge=record.judge if record else None,
        measured=record.created if record else None,
        answers=found.answers if found else None,
        silent=found.silent if found else None,
        raters=found.raters if found else None,
        agreement=finite(found.kappa) if found else None,
        low=finite(found.interval.low) if found else None,
        high=finite(found.interval.high) if found else None,
        spearman=finite(found.spearman) if found else None,
        accuracy=finite(found.accuracy) if found else None,
        people=finite(found.alpha) if found else None,
        people_low=finite(found.alpha_interval.low) if found else None,
        people_high=finite(found.alpha_interval.high) if found else None,
        person=finite(found.person) if found else None,
        steady=finite(found.steady) if found else None,
        same=places.same if places else None,
        first=places.first if places else None,
    )


def moved(measured: NewRecord) -> Moved | None:
    """What moved since the last measurement."""
    paired, before = measured.moved, measured.before
    if paired is None or before is None:
        return None
    return Moved(
        before=finite(before.agreement.kappa),
        difference=paired.difference,
        low=finite(paired.interval.low),
        high=finite(paired.interval.high),
        p=paired.p,
        answers=paired.n,
        verdict=paired.conclusion.word,
    )


def preferred(found: Duel, judge: JudgeRow) -> PreferShow:
    """Two reports before a judge."""
    corrected = found.corrected
    return PreferShow(
        judge=judge,
        a=found.a.report.id,
        b=found.b.report.id,
        wins=found.wins,
        losses=found.losses,
        ties=found.ties,
        undecided=found.undecided,
        alike=found.alike,
        share=found.share,
        low=finite(found.interval.low),
        high=finite(found.interval.high),
        same=found.places.same,
        first=found.places.first,
        corrected=finite(corrected.estimate) if corrected else None,
        corrected_low=finite(corrected.interval.low) if corrected else None,
        corrected_high=finite(corrected.interval.high) if corrected else None,
        labelled=corrected.labelled if corrected else 0,
    )
