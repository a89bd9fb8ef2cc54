"""Judges on probation: how far each agrees with people, written down, and whether it may count in a gate.

A judge counts while the lower end of its agreement reaches its bar, what was measured is what it is today, and that is
not too long ago. Nothing else makes it count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import Engine, insert, select

from gatewheel.evals import judge as judging
from gatewheel.evals import judge_agreement
from gatewheel.evals.judge import Judge
from gatewheel.evals.judge_agreement import Agreement, Rated
from gatewheel.evals.metrics import judge as metric
from gatewheel.evals.statistics.intervals import Interval
from gatewheel.kernel.config import Config
from gatewheel.kernel.errors import ConfigError, UserError, did_you_mean
from gatewheel.kernel.numbers import numbers, plain
from gatewheel.kernel.store.schema import probations as table
from gatewheel.loop import golden, verdicts
from gatewheel.loop.golden import Golden, Graded
from gatewheel.loop.progress import Notes, OnProgress
from gatewheel.loop.recipes import digest
from gatewheel.loop.serving import as_served

if TYPE_CHECKING:
    from gatewheel.evals.statistics.pairs import Paired
    from gatewheel.loop.compose import Parts

DAY = 86_400.0
PAIRS = 50  # of answers to one case, on which the place of an answer is tried
State = Literal["on probation", "admitted", "failed", "lapsed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """What the place of an answer does to a judge: over `pairs`, how often it said the same in both orders, and how
    often it took the first of those times that it took one. Half is none.
    """

    pairs: int
    same: float | None = None
    first: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A judge measured on its golden set. `judge` is the digest of model, rubric and all that decides a verdict."""

    id: str
    created: float
    name: str
    judge: str
    model: str
    rubric: str
    golden: str
    suite: str
    criterion: str
    bar: float
    agreement: Agreement
    places: Places
    rated: tuple[Rated, ...] = field(repr=False, default=())

    @property
    def passed(self) -> bool:
        return self.agreement.reaches(self.bar)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRecord:
    """A new record, and how agreement moved since the one before on the same answers; None where there is none.

    `forgotten` are verdicts on other answers that were dropped, since the judge no longer says what it said.
    """

    record: Record
    before: Record | None
    moved: Paired | None
    forgotten: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Whether a judge may count, and why in one sentence. `record` is the last one, if it was ever measured."""

    name: str
    state: State
    text: str
    record: Record | None


def names(config: Config) -> list[str]:
    """The metrics of a project that are judges."""
    return [name for name in config.names("metric") if config.table("metric", name).use == "judge"]


def measure(
    parts: Parts, name: str, *, again: bool = False, began: float = 0.0, on_progress: OnProgress | None = None
) -> NewRecord:
    """Let a judge grade its golden set and write down how far it agrees with people.

    What it said before is not asked again, unless `again`: a model behind an endpoint may have changed under its name.
    One that `began` earlier and was stopped goes on and is written down once. Progress is of answers and then of pairs
    of answers.
    Raises ConfigError for what is no judge, UserError for a golden set without grades, ModelError when nobody answers.
    """
    settings = settings_of(parts.config, name)
    began = began or time.time()
    with as_served(parts) as served:
        kept = verdicts.ProjectVerdicts(served, since=began if again else 0.0)
        judge = metric.create(settings, models=served.model, verdicts=kept, root=parts.config.root)
        gold = golden.golden(served, judge, settings.criterion or name)
        pairs = _pairs(gold)
        notes = Notes(f"judge {name}", len(gold.graded) + len(pairs), on_progress)
        rated = _rated(judge, gold, notes)
        places = _places(judge, pairs, notes)
        rubric = metric.read(settings, parts.config.root)
        identity = verdicts.identity(served, settings.model, judging.recipe(settings, rubric))
    said = judge_agreement.agreement(rated, yes_no=settings.scale == "yes/no")
    record = Record(
        id=digest([name, identity, gold.id, began])[:32],
        created=began,
        name=name,
        judge=identity,
        model=settings.model,
        rubric=digest(rubric),
        golden=gold.id,
        suite=gold.suite,
        criterion=gold.criterion,
        bar=settings.bar,
        agreement=said,
        places=places,
        rated=tuple(rated),
    )
    before = newest(parts.engine, name, besides=record.id)
    gone = 0
    if again and before and before.judge == identity and _says(before) != _says(record):
        gone = verdicts.forget(parts.engine, identity, before=began)
    _keep(parts.engine, record)
    return _new(record, before, gone)


def as_result(measured: NewRecord) -> dict[str, Any]:
    """What a run leaves as its result."""
    before = measured.before.id if measured.before else ""
    return {"record": measured.record.id, "before": before, "forgotten": measured.forgotten}


def of_result(engine: Engine, result: Mapping[str, Any]) -> NewRecord:
    """What a run has measured."""
    query = select(table.c.id, table.c.record).where(table.c.id.in_([result["record"], result["before"]]))
    with engine.connect() as connection:
        found = {row.id: _record(row.record) for row in connection.execute(query)}
    return _new(found[result["record"]], found.get(result["before"]), result["forgotten"])


def _new(record: Record, before: Record | None, forgotten: int) -> NewRecord:
    moved = judge_agreement.moved(before.rated, record.rated) if before else None
    return NewRecord(record=record, before=before, moved=moved, forgotten=forgotten)


def standing(parts: Parts, name: str) -> Standing:
    """Whether a judge may count in a gate. Raises ConfigError for what is no judge."""
    settings, record = settings_of(parts.config, name), newest(parts.engine, name)
    if record is None:
        text = f"judge {name} is on probation: it was never measured; run `gatewheel evals judge {name}`"
        return Standing(name=name, state="on probation", text=text, record=None)
    passed, why = record.agreement.reaches(settings.bar), _lapsed(parts, record, settings)
    if why and not passed:
        text = f"judge {name} is on probation: it failed, and since then {why}; run `gatewheel evals judge {name}`"
        return Standing(name=name, state="on probation", text=text, record=record)
    if why:
        text = f"judge {name} has lapsed: {why}; run `gatewheel evals judge {name}`"
        return Standing(name=name, state="lapsed", text=text, record=record)
    if not passed:
        return Standing(name=name, state="failed", text=_failed(record, settings.bar), record=record)
    text = f"judge {name} is admitted: agreement {_between(record)} reaches {settings.bar:g}"
    return Standing(name=name, state="admitted", text=text, record=record)


def newest(engine: Engine, name: str, *, besides: str = "") -> Record | None:
    """The last record of a judge by its name, besides one."""
    query = select(table.c.record).where(table.c.name == name, table.c.id != besides)
    with engine.connect() as connection:
        said = connection.execute(query.order_by(table.c.created.desc()).limit(1)).scalar()
    return None if said is None else _record(said)


def settings_of(config: Config, name: str) -> metric.Settings:
    """The settings of a judge. Raises ConfigError for a name that is none."""
    if name not in names(config):
        raise ConfigError(f"no judge named '{name}'", cure=did_you_mean(name, names(config)))
    return cast(metric.Settings, config.table("metric", name).settings)


def _failed(record: Record, bar: float) -> str:
    found = record.agreement
    told = f"judge {record.name} is on probation: agreement {_between(record)} < {bar:g} with people on {found.answers}"
    if found.silent > judge_agreement.SILENT * found.answers:
        return f"{told} answers, and on {found.silent} of them it gave no verdict"
    return f"{told} answers"


def _between(record: Record) -> str:
    found = record.agreement
    kappa, low, high = (
        f"{round(value, 2) + 0.0:.2f}" for value in (found.kappa, found.interval.low, found.interval.high)
    )
    return f"{kappa} [{low}, {high}]"


def _lapsed(parts: Parts, record: Record, settings: metric.Settings) -> str:
    """Why what was measured no longer holds; empty when it does."""
    rubric = metric.read(settings, parts.config.root)
    if digest(rubric) != record.rubric:
        return "its rubric has changed"
    if verdicts.identity(parts, settings.model, judging.recipe(settings, rubric)) != record.judge:
        return "its model or its settings have changed"
    days = (time.time() - record.created) / DAY
    if days > settings.valid_days:
        return f"it was measured {days:.0f} days ago, and {settings.valid_days:g} are allowed"
    judge = metric.create(settings, models=parts.model, root=parts.config.root)
    try:
        now = golden.golden(parts, judge, settings.criterion or record.name).id
    except UserError:  # nobody's grade is left, or one is off the scale
        now = ""
    return "" if now == record.golden else "its golden set has changed"


def _rated(judge: Judge, gold: Golden, notes: Notes) -> list[Rated]:
    made = []
    for one in gold.graded:
        asked = judge.asked
        found = judge.judge(one.case, one.answer)
        cluster = one.case.cluster or f"case {one.case.id}"
        made.append(Rated(item=one.item, cluster=cluster, people=one.people, judged=found.score, steady=found.steady))
        notes.take(known=judge.asked == asked)
    return made


def _pairs(gold: Golden) -> list[tuple[Graded, Graded]]:
    """Two answers to the same case."""
    by_case: dict[str, list[Graded]] = {}
    for one in gold.graded:
        by_case.setdefault(one.case.question + one.case.context, []).append(one)
    return [(answers[0], answers[1]) for _, answers in sorted(by_case.items()) if len(answers) > 1][:PAIRS]


def _places(judge: Judge, pairs: list[tuple[Graded, Graded]], notes: Notes) -> Places:
    """Each pair in both orders."""
    said = []
    for a, b in pairs:
        asked = judge.asked
        said.append(judge.prefer(a.case, a.answer, b.answer))
        notes.take(known=judge.asked == asked)
    return places(said)


def places(said: list[judging.Preferred]) -> Places:
    """What the place of an answer did to these preferences."""
    picks = [pick for one in said for pick in one.picks if pick in ("1", "2")]
    return Places(
        pairs=len(said),
        same=sum(bool(one.better) for one in said) / len(said) if said else None,
        first=picks.count("1") / len(picks) if picks else None,
    )


def _says(record: Record) -> dict[str, float | None]:
    return {one.item: one.judged for one in record.rated}


def _keep(engine: Engine, record: Record) -> None:
    """Written down, once: a run may have been killed between this and its end."""
    values: dict[str, Any] = {key: getattr(record, key) for key in ("id", "created", "name", "judge", "golden")}
    with engine.begin() as connection:
        if connection.execute(select(table.c.id).where(table.c.id == record.id)).scalar() is None:
            connection.execute(insert(table).values(**values, record=plain(asdict(record))))


def _record(said: Mapping[str, Any]) -> Record:
    found = numbers(said["agreement"])
    for key in ("interval", "alpha_interval"):
        found[key] = Interval(**numbers(found[key]))
    made = {**said, "agreement": Agreement(**found), "places": Places(**said["places"])}
    return Record(**{**made, "rated": tuple(Rated(**one) for one in said["rated"])})
