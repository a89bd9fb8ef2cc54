"""The gate: decides from measurements whether a candidate may replace the incumbent. Measures nothing itself.

All that is demanded has to be shown, so demands need no correction for their number: a candidate that fails one of them
passes with a chance of at most `alpha` (an intersection-union test, Berger 1982). What is not measured never passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gatewheel.ops.gate_words import counted, plain, signed

Outcome = Literal["promote", "reject", "inconclusive"]
Rule = Literal["better", "not worse", "slice", "floor", "ceiling", "answered", "changed", "unseen", "forgotten"]
ABSTAINING = ("abstention", "false-refusal")  # the metrics that see it when cases are abstained from
ANSWERING = "abstention"  # the metric that sees it when what should be abstained from is answered
Finite = Annotated[float, Field(allow_inf_nan=False)]
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """`[gate.<name>]`: what a candidate has to show on a suite. Differences are in the unit of their metric."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    suite: str = Field(min_length=1, description="suites/<name>.toml")
    app: str = Field("main", json_schema_extra={"names": "app"}, description="Which [app.*] it guards.")
    better: dict[str, Margin] = Field({}, description="Metric → the candidate has to be better by more than this.")
    not_worse: dict[str, Margin] = Field({}, description="Metric → it may be worse by so much at most.")
    slices: dict[str, Margin] = Field({}, description="Metric → it may be worse by so much at most on every slice.")
    floors: dict[str, Finite] = Field({}, description="Metric → its figure must be at least this.")
    ceilings: dict[str, Finite] = Field({}, description="Metric → its figure must be at most this.")
    alpha: float = Field(0.05, gt=0, le=0.25, description="Chance at most that one passes who should not.")
    sequential: bool = Field(False, description="Look after every `step` cases and stop when all is settled.")
    step: int = Field(20, ge=1, description="Cases between two looks.")

    @model_validator(mode="after")
    def _demands_something(self) -> Settings:
        if not (self.better or self.not_worse or self.slices or self.floors or self.ceilings):
            cure = "write e.g. better = { token-f1 = 0.0 }"
            raise PydanticCustomError("gate", "demands nothing, so everything would pass", {"cure": cure})
        return self

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that is named."""
        return tuple(dict.fromkeys([*self.better, *self.not_worse, *self.slices, *self.floors, *self.ceilings]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What has to be shown of a difference: that the gain is above `by`, or for a margin not below it.

    A gain is positive where the candidate is better, whether high or low values are good. `slice` "" is the suite.
    """

    rule: Rule
    metric: str
    by: float
    slice: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What was measured for a demand, on the same cases of both. `low` and `high` bound the gain.

    `shown` is True or False where the demand is shown to hold or not, None where the cases do not settle it; about so
    many `more` would settle it then, None where no number is in sight. `dropped` are the cases with a value of the
    incumbent and none of the candidate; with one of them nothing is shown to hold. `gained` are those of the candidate
    alone, with its figure `there`.
    """

    demand: Demand
    candidate: float
    incumbent: float
    gain: float
    low: float
    high: float
    cases: int
    shown: bool | None
    more: int | None = None
    unit: Literal["cases", "grades"] = "cases"  # of which there would have to be more
    dropped: int = 0
    gained: int = 0
    there: float | None = None
    note: str = ""  # how a judge's figures were corrected


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A metric of the candidate on the whole suite with its interval; None where it has no value."""

    value: float | None
    low: float = -math.inf
    high: float = math.inf
    cases: int = 0  # with a value
    of: int = 0  # that could have one; 0 is not known
    note: str = ""  # how a judge's figure was corrected


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurements:
    """All that is known of a candidate. `findings` is None where nothing answers yet that it could be compared with."""

    figures: Mapping[str, Figure]
    cases: int
    findings: Sequence[Finding] | None
    slices: tuple[str, ...] = ()
    unanswered: int = 0
    first_error: str = ""
    unchanged: bool = False
    incumbent_unanswered: int = 0
    incumbent_error: str = ""
    silent: Sequence[Demand] = ()  # on slices where the metric has no value of either
    withheld: Mapping[str, tuple[Outcome, str]] = field(default_factory=dict)  # metrics that do not count, and why


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One rule and what came of it, in words for who has to decide."""

    rule: Rule
    metric: str
    slice: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Promote when every rule is met, reject when one is broken, else inconclusive."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = field(default_factory=tuple)


def create(settings: Settings) -> Gate:
    """The gate of these settings."""
    return Gate(settings=settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Settings that decide. What `use` of a `[gate.*]` names makes one; a plugin may decide otherwise by the same."""

    settings: Settings

    def decide(self, measured: Measurements | None, *, besides: Iterable[Reason] = ()) -> Decision:
        """Promote, reject or inconclusive, with a reason for each rule and those that are known `besides`."""
        return decide(self.settings, measured, besides=besides)


def demands(settings: Settings, slices: Iterable[str] = ()) -> tuple[Demand, ...]:
    """Every difference that has to be shown, on the suite and on each of these slices."""
    better = [Demand(rule="better", metric=metric, by=by) for metric, by in settings.better.items()]
    margins = [Demand(rule="not worse", metric=metric, by=-margin) for metric, margin in settings.not_worse.items()]
    parts = [
        Demand(rule="slice", metric=metric, by=-margin, slice=name)
        for metric, margin in settings.slices.items()
        for name in slices
    ]
    return (*better, *margins, *parts)


def shown(demand: Demand, low: float, high: float) -> bool | None:
    """Whether an interval of the gain settles a demand. No gain at all is not better, and not worse.

    An interval without width knows nothing of the next case, so it shows no demand to hold.
    """
    better = demand.rule == "better"
    if low > demand.by or (low == demand.by and not better):
        return True if low < high else None
    return False if high < demand.by or (high == demand.by and better) else None


def decide(settings: Settings, measured: Measurements | None, *, besides: Iterable[Reason] = ()) -> Decision:
    """Promote, reject or inconclusive, with a reason for each rule and those that are known `besides`. Pure.

    `measured` is None where what is known besides decides alone.
    """
    reasons = (*besides, *(_reasons(settings, measured) if measured else ()))
    outcomes = {reason.outcome for reason in reasons}
    outcome: Outcome = "reject" if "reject" in outcomes else "inconclusive" if "inconclusive" in outcomes else "promote"
    return Decision(outcome=outcome, reasons=reasons)


def _reasons(settings: Settings, measured: Measurements) -> Iterator[Reason]:
    if measured.unchanged:
        text = "The candidate is the variant that answers now: nothing has changed, so nothing can be better."
        yield Reason(rule="changed", metric="", slice="", outcome="reject", text=text)
    if measured.unanswered or not measured.cases:
        first = f" The first: {measured.first_error}" if measured.first_error else ""
        text = f"{measured.unanswered} of {measured.cases} cases got no answer or no score; all need one.{first}"
        yield Reason(rule="answered", metric="", slice="", outcome="reject", text=text)
    if measured.incumbent_unanswered:
        first = f" The first: {measured.incumbent_error}" if measured.incumbent_error else ""
        count = counted(measured.incumbent_unanswered)
        text = f"{count} of the incumbent got no answer or no score; run it again.{first}"
        yield Reason(rule="answered", metric="", slice="", outcome="inconclusive", text=text)
    for demand in demands(settings, measured.slices):
        yield _compared(demand, measured, settings)
    if measured.findings is None and not measured.slices:  # else a gate with slices alone would not look at anything
        for metric, margin in settings.slices.items():
            yield _compared(Demand(rule="slice", metric=metric, by=-margin), measured, settings)
    parts = [one for one in demands(settings, measured.slices) if one.rule == "slice"]
    for metric in settings.slices if measured.findings is not None else ():
        if all(one in measured.silent for one in parts if one.metric == metric):
            text = f"{metric} was compared on no slice: none of the tags of the suite has a case to which it applies."
            yield Reason(rule="slice", metric=metric, slice="", outcome="inconclusive", text=text)
    for metric, floor in settings.floors.items():
        yield _limited(settings, "floor", metric, floor, measured)
    for metric, ceiling in settings.ceilings.items():
        yield _limited(settings, "ceiling", metric, ceiling, measured)


def _compared(demand: Demand, measured: Measurements, settings: Settings) -> Reason:
    def reason(outcome: Outcome, text: str) -> Reason:
        return Reason(rule=demand.rule, metric=demand.metric, slice=demand.slice, outcome=outcome, text=text)

    name = f"{demand.metric} on '{demand.slice}'" if demand.slice else demand.metric
    if demand.metric in measured.withheld:
        return reason(*measured.withheld[demand.metric])
    figure = measured.figures.get(demand.metric)
    if figure is None or figure.value is None or math.isnan(figure.value):
        return reason("reject", f"{name} was not measured, and what is not measured does not pass.")
    if measured.findings is None:
        return reason("promote", f"{name} is {plain(figure.value)}; nothing is released yet to compare it with.")
    if demand in measured.silent:
        return reason("promote", f"{name}: it applies to no case of either there, so this rule is skipped.")
    found = next((one for one in measured.findings if one.demand == demand), None)
    if found is None or math.isnan(found.gain):
        return reason("reject", f"{name} could not be compared: no case has a value of both. That does not pass.")
    return reason(*_judged(found, name, settings))


def _judged(found: Finding, name: str, settings: Settings) -> tuple[Outcome, str]:
    by = found.demand.by
    moved = f"better by {plain(found.gain)}" if found.gain > 0 else f"worse by {plain(-found.gain)}"
    moved = moved if found.gain else "the same"
    between = f" ({signed(found.low)} to {signed(found.high)})" if math.isfinite(found.high - found.low) else ""
    told = f"{name}: {plain(found.incumbent)} → {plain(found.candidate)}, {moved}{between}{found.note}"
    asked = f"better by more than {plain(by)}" if found.demand.rule == "better" else f"at most {plain(-by)} worse"
    cases = counted(found.cases)
    if found.shown is False:
        return "reject", f"{told}. Asked: {asked}. {cases} show that it is not."
    if unseen := _unseen(found, settings):
        return "inconclusive", f"{told}. Asked: {asked}. {unseen}; so {cases} do not settle it."
    if found.shown is None:
        grades = " grades" if found.unit == "grades" else ""
        settle = f"about {found.more} more{grades} would settle it" if found.more else "it takes more of them"
        settle = "no number of them in sight would settle it" if between and not found.more else settle
        return "inconclusive", f"{told}. Asked: {asked}. {cases} leave it open; {settle}."
    return "promote", f"{told}. Asked: {asked}. {cases} show that it is."


def _unseen(found: Finding, settings: Settings) -> str:
    """What the comparison does not see, since one of both has no value there; empty where nothing is missed by it.

    What is answered where the incumbent abstains is seen by a limit on the figure of all, or by a rule on abstaining.
    """
    if found.dropped:
        dropped = counted(found.dropped)
        return f"The candidate has no value on {dropped} where the incumbent has one, as when it abstains"
    metric = found.demand.metric
    if not found.gained or ANSWERING in settings.metrics or metric in {*settings.floors, *settings.ceilings}:
        return ""
    there = "" if found.there is None else f", and its figure there is {plain(found.there)}"
    gained = f"The incumbent has no value on {counted(found.gained)} where the candidate has one{there}"
    return f"{gained}; a limit on {metric}, or a rule on {ANSWERING}, would see them"


def _limited(
    settings: Settings, rule: Literal["floor", "ceiling"], metric: str, limit: float, measured: Measurements
) -> Reason:
    outcome: Outcome = "reject"
    figure = measured.figures.get(metric)
    asked = f"at {'least' if rule == 'floor' else 'most'} {plain(limit)} is asked"
    if metric in measured.withheld:
        outcome, text = measured.withheld[metric]
    elif figure is None or figure.value is None or math.isnan(figure.value):
        text = f"{metric} was not measured, and {asked}. What is not measured does not pass."
    else:
        holds = figure.value >= limit if rule == "floor" else figure.value <= limit
        between = f" ({plain(figure.low)} to {plain(figure.high)})" if math.isfinite(figure.high - figure.low) else ""
        over = f" over {figure.cases} of {counted(figure.of)}" if figure.of else ""
        text = f"{metric} is {plain(figure.value)}{between}{over}{figure.note}; {asked}."
        if not holds or 2 * figure.cases >= figure.of or set(ABSTAINING) & set(settings.metrics):
            outcome = "promote" if holds else "reject"
        else:
            text += f" Fewer than half do not pass, unless the gate also has a rule on {' or '.join(ABSTAINING)}."
    return Reason(rule=rule, metric=metric, slice="", outcome=outcome, text=text)
