"""A candidate before its gate: both variants go through the suite, the gate decides, the decision is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from time import time
from typing import cast

from sqlalchemy import Engine, delete

from gatewheel.data import suites
from gatewheel.data.cases import identity
from gatewheel.data.suites import Suite
from gatewheel.kernel.config import Config
from gatewheel.kernel.durable import exclusive
from gatewheel.kernel.errors import ConfigError, ProjectError, did_you_mean
from gatewheel.kernel.nouns import Report, Variant
from gatewheel.kernel.store import schema
from gatewheel.loop import reports, targets
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import Progress, Wanted, Yardstick, evaluate, yardstick
from gatewheel.loop.releasing import as_variant, find, incumbent_of, refuse_other_documents
from gatewheel.loop.serving import as_served
from gatewheel.loop.weighing import Looking, independent, weigh
from gatewheel.ops import gate, releases
from gatewheel.ops.gate import Decision, Measured, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """Who watches: told of progress, and asked whether to stop."""

    on_progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a gate said after so many `cases` of `of`. `reports` are the ids of the candidate's and the incumbent's.

    `incumbent` is empty where nothing is released yet that the candidate could be compared with. `row` is the number of
    the decision in the history of releases; None where the comparison was not with what answers now.
    """

    gate: str
    app: str
    suite: str
    candidate: str
    incumbent: str
    cases: int
    of: int
    decision: Decision
    reports: tuple[str, ...]
    row: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """Who stands before which gate. `official` says that the incumbent is what answers now, or that nothing does.

    Both are scored by one `yardstick`, that of the project's file, and asked about one state of the documents.
    """

    name: str
    settings: Settings
    suite: Suite
    candidate: Variant
    incumbent: Variant | None
    released: str
    official: bool
    yardstick: Yardstick
    corpus: str


NOBODY = Watching()


def judge(
    parts: Parts, candidate: str, *, name: str = "", against: str = "", watching: Watching = NOBODY, author: str = ""
) -> Judged:
    """Let a gate decide on a candidate: an application's name, or the beginning of a variant's id.

    The incumbent is the release of the gate's application, or what its file says while there is none. Compared with
    anything else, by `against`, the decision is not written into the history: nothing may be released by it.

    Raises ConfigError for a gate that is not there or whose suite is not fit for it, UserError for unknown variants and
    while a run is at work, ProjectError for a variant that cannot be made again and when the documents change
    meanwhile, Cancelled, and what evaluating raises.
    """
    name = name or usual(parts.config)
    settings = cast(Settings, parts.config.table("gate", name).settings)
    suite = suites.load(parts.config.root, settings.suite)
    _refuse_unfit(parts.config, name, settings, suite)
    with exclusive(parts.config.state), as_served(parts) as served:
        trial = _trial(served, name, settings, suite, candidate, against)
        mine, theirs, decision = _decided(served, trial, watching)
    judged = Judged(
        gate=name,
        app=settings.app,
        suite=suite.name,
        candidate=trial.candidate.id,
        incumbent=trial.incumbent.id if trial.incumbent else "",
        cases=len({row.case for row in mine.rows}),
        of=len(suite.cases),
        decision=decision,
        reports=tuple(report.id for report in (mine, theirs) if report),
        row=None,
    )
    return replace(judged, row=_written(parts.engine, judged, trial, mine, author)) if trial.official else judged


def usual(config: Config) -> str:
    """The gate that is meant when none is named: main, or the only one. Raises ConfigError."""
    names = config.names("gate")
    if "main" in names or len(names) == 1:
        return "main" if "main" in names else names[0]
    if names:
        raise ConfigError(f"{config.path.name}: no [gate.main]", cure=f"name one: --gate {' or '.join(sorted(names))}")
    cure = 'write [gate.main] with suite = "…" and better = { … }; see docs/gate.md'
    raise ConfigError(f"{config.path.name}: no [gate.…]", cure=cure)


def check(config: Config) -> None:
    """Raises ConfigError for a gate whose suite is not fit for it, UserError for a suite that is not there."""
    for name in config.names("gate"):
        settings = cast(Settings, config.table("gate", name).settings)
        _refuse_unfit(config, name, settings, suites.load(config.root, settings.suite))


def _refuse_unfit(config: Config, name: str, settings: Settings, suite: Suite) -> None:
    """Raises ConfigError for a suite that does not measure what is asked for, or whose cases are to be learned from."""
    if suite.split == "train":
        what = f"{config.path.name}: [gate.{name}] asks suite {suite.name}, whose cases are for training"
        raise ConfigError(what, cure=f'name a suite with split = "holdout"; {suite.path.name} says "train"')
    for metric in settings.metrics:
        if metric not in suite.metrics:
            what = f"{config.path.name}: [gate.{name}] asks for {metric}, which suite {suite.name} does not measure"
            raise ConfigError(
                what, cure=f"add it to metrics of {suite.path.name}, or {did_you_mean(metric, suite.metrics)}"
            )


def _trial(served: Parts, name: str, settings: Settings, suite: Suite, candidate: str, against: str) -> _Trial:
    app = settings.app
    released = releases.current(served.engine, app)
    standing = find(served, candidate)
    refuse_other_documents(served, app, standing)
    present = incumbent_of(served, app, standing)
    incumbent = find(served, against) if against else present
    return _Trial(
        name=name,
        settings=settings,
        suite=suite,
        candidate=standing,
        incumbent=incumbent,
        released=released,
        official=incumbent == present,
        yardstick=yardstick(served, suite),
        corpus=targets.corpus(served.engine),
    )


def _decided(served: Parts, trial: _Trial, watching: Watching) -> tuple[Report, Report | None, Decision]:
    """Both reports and the decision, after as many cases as it takes."""
    settings, began = trial.settings, time()
    slices = sorted({tag for case in trial.suite.cases for tag in case.tags}) if settings.slices else []
    order = tuple(case.id for case in sorted(trial.suite.cases, key=identity))
    looks = settings.sequential and trial.incumbent is not None and independent(trial.suite.cases)
    steps: list[str] = []
    for limit in _limits(len(order), settings.step if looks else len(order)):
        complete = limit == len(order)
        mine = _report(served, trial, trial.candidate, limit, watching)
        theirs = _report(served, trial, trial.incumbent, limit, watching) if trial.incumbent else None
        seen = [tag for tag in slices if complete or any(tag in row.tags for row in mine.rows)]
        looking = Looking(order=order if looks else (), complete=complete)
        measured = weigh(settings, trial.yardstick.metrics, mine, theirs, slices=seen, looking=looking)
        if complete or _settled(settings, measured, every=len(seen) == len(slices)):
            break
        steps += [report.id for report in (mine, theirs) if report and report.created >= began]
    _forget(served.engine, steps)
    return mine, theirs, gate.decide(settings, measured)


def _limits(cases: int, step: int) -> Iterator[int]:
    """After how many cases to look: every `step`, then, since each look costs a little, every quarter more."""
    seen = step
    while seen < cases:
        yield seen
        seen = max(seen + step, seen + seen // 4)
    yield cases


def _settled(settings: Settings, measured: Measured, *, every: bool) -> bool:
    """Whether more cases would change nothing: a demand is refuted, or all are shown, on every slice.

    A floor or a ceiling is about the figure of the whole suite, so nothing passes one before the end.
    """
    if measured.unanswered or any(found.shown is False for found in measured.findings or ()):
        return True
    if settings.floors or settings.ceilings or not every:
        return False
    return gate.decide(settings, measured).outcome == "promote"


def _report(served: Parts, trial: _Trial, variant: Variant, limit: int, watching: Watching) -> Report:
    """The report of a variant; an earlier one where it cannot be made again, since the documents are read otherwise."""
    app, suite = trial.settings.app, trial.suite
    parts = as_variant(served, app, variant)
    if parts.variant(app).id == variant.id:
        wanted = Wanted(suite=suite.name, app=app, limit=0 if limit == len(suite.cases) else limit)
        told, cancelled = watching.on_progress, watching.cancelled
        report = evaluate(parts, wanted, metrics=trial.yardstick, on_progress=told, cancelled=cancelled)
        assert report.variant == variant.id
        if report.corpus != trial.corpus:
            raise ProjectError("the documents changed meanwhile", cure="run it again")
        return report
    every = {case.id for case in suite.cases}
    earlier = reports.recent(served.engine, limit=5, suite_id=trial.yardstick.id, variant=variant.id)
    for kept in earlier:
        if every <= {row.case for row in kept.report.rows}:
            return kept.report
    what = f"variant {variant.id[:12]} read the documents by other settings and was not evaluated on {suite.name} then"
    raise ProjectError(what, cure="restore them, run `gatewheel evals run` on it, and change them again")


def _forget(engine: Engine, steps: list[str]) -> None:
    """Reports of the first so many cases were made only to be looked at; those that were there before stay."""
    if steps:
        with engine.begin() as connection:
            connection.execute(delete(schema.reports).where(schema.reports.c.id.in_(steps)))


def _written(engine: Engine, judged: Judged, trial: _Trial, mine: Report, author: str) -> int:
    """Write the decision into the history of releases; one that stands there already is not written twice."""
    reason = {
        "gate": judged.gate,
        "outcome": judged.decision.outcome,
        "released": trial.released,
        "incumbent": judged.incumbent,
        "suite": judged.suite,
        "suite_id": mine.suite_id,
        "corpus": mine.corpus,
        "cases": judged.cases,
        "reports": list(judged.reports),
        "settings": trial.settings.model_dump(mode="json"),
        "reasons": [asdict(one) for one in judged.decision.reasons],
    }
    return releases.decide(engine, judged.app, judged.candidate, reason=reason, author=author).number
