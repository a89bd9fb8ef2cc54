"""A candidate before its gate: both variants go through the suite, the gate decides, the decision is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from time import time
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Engine, delete

from gatewheel.data.cases import identity
from gatewheel.kernel.config import Config
from gatewheel.kernel.errors import ConfigError, ProjectError
from gatewheel.kernel.nouns import Report, Variant
from gatewheel.kernel.store import schema
from gatewheel.loop import reports, unseen
from gatewheel.loop.compose import Parts
from gatewheel.loop.correcting import corrected
from gatewheel.loop.evaluate import Progress, Wanted, evaluate
from gatewheel.loop.foregone import foregone
from gatewheel.loop.leaks import clean
from gatewheel.loop.releasing import as_variant, find
from gatewheel.loop.serving import as_served
from gatewheel.loop.trial import Trial, opened, trial_of
from gatewheel.loop.weighing import Looking, independent, weigh
from gatewheel.ops import gate, releases
from gatewheel.ops.gate import Decision, Measured, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who stands before which gate: an application's name, or the beginning of a variant's id. Empty is as usual."""

    candidate: str
    gate: str = ""
    against: str = ""
    author: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """Who watches: told of progress, and asked whether to stop. `run` is the run that this is the work of."""

    on_progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], bool] = lambda: False
    run: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a gate said after so many `cases` of `of`. `reports` are the ids of the candidate's and the incumbent's;
    none where it was decided before anybody was asked.

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


NOBODY = Watching()


def judge(
    parts: Parts, candidate: str, *, name: str = "", against: str = "", watching: Watching = NOBODY, author: str = ""
) -> Judged:
    """Let a gate decide on a candidate: an application's name, or the beginning of a variant's id.

    The incumbent is the release of the gate's application, or what its file says while there is none. Compared with
    anything else, by `against`, the decision is not written into the history: nothing may be released by it.

    Killed at any moment, the same again comes to the same decision and writes it down once. Nothing else may be at work
    in the project meanwhile: as a run (running.py) it takes its turn.

    Raises ConfigError for a gate that is not there or whose suite is not fit for it, UserError for unknown variants,
    ProjectError for a variant that cannot be made again and when the documents change meanwhile, Cancelled, and what
    evaluating raises.
    """
    name = name or usual(parts.config)
    with as_served(parts) as served:
        trial = trial_of(served, name, candidate, against=against)
        known = foregone(served, trial)
        decision, made = (known, []) if known else _decided(served, trial, watching)
    judged = Judged(
        gate=name,
        app=trial.settings.app,
        suite=trial.suite.name,
        candidate=trial.candidate.id,
        incumbent=trial.incumbent.id if trial.incumbent else "",
        cases=len({row.case for row in made[0].rows}) if made else 0,
        of=len(trial.suite.cases),
        decision=decision,
        reports=tuple(report.id for report in made),
        row=None,
    )
    return replace(judged, row=_written(parts.engine, judged, trial, author)) if trial.official else judged


def refuse_unknown(parts: Parts, asked: Asked) -> None:
    """Raises what `judge` would raise at once, before anything is queued."""
    opened(parts.config, asked.gate or usual(parts.config))
    with as_served(parts) as served:
        for named in filter(None, (asked.candidate, asked.against)):
            find(served, named)


def judged_of(plain: Any) -> Judged:
    """What a run of a gate left as its result."""
    return TypeAdapter(Judged).validate_python(plain)


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
        opened(config, name)


def _decided(served: Parts, trial: Trial, watching: Watching) -> tuple[Decision, list[Report]]:
    """The decision and the reports of the candidate and of the incumbent, after as many cases as it takes."""
    settings, began, cases = trial.settings, time(), trial.suite.cases
    slices = sorted(unseen.tags(trial.clean)) if settings.slices else []
    order = tuple(case.id for case in sorted(cases, key=identity))
    looks = settings.sequential and trial.incumbent is not None and independent(cases)
    both = [variant for variant in (trial.candidate, trial.incumbent) if variant]
    steps: list[str] = []
    for limit in _limits(len(order), settings.step if looks else len(order)):
        complete = limit == len(order)
        made = [_report(served, trial, variant, limit, watching) for variant in both]
        looking = Looking(order=order if looks else (), complete=complete)
        measured, every = _measured(served, trial, made, slices, looking)
        if complete or _settled(settings, measured, every=every):
            break
        steps += [report.id for report in made if watching.run or report.created >= began]
    _forget(served.engine, steps, watching.run)
    lost = unseen.lost(cases, trial.clean) if settings.slices and trial.incumbent else ()
    besides = (*unseen.reasons(trial.leaks, len(cases)), *lost)
    return gate.decide(settings, measured, besides=besides), made


def _measured(
    served: Parts, trial: Trial, made: Sequence[Report], slices: Sequence[str], looking: Looking
) -> tuple[Measured, bool]:
    """What reports say, but for what leaked, and whether they have cases of all slices by now."""
    settings, metrics = trial.settings, trial.yardstick.metrics
    mine, *others = (clean(report, trial.leaks.cases) for report in made)
    theirs = others[0] if others else None
    seen = [tag for tag in slices if looking.complete or any(tag in row.tags for row in mine.rows)]
    found = weigh(settings, metrics, mine, theirs, slices=seen, looking=looking)
    measured = corrected(served, settings, found, metrics, (mine, theirs), complete=looking.complete)
    return unseen.with_failures(measured, made[0]), len(seen) == len(slices)


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


def _report(served: Parts, trial: Trial, variant: Variant, limit: int, watching: Watching) -> Report:
    """The report of a variant; an earlier one where it cannot be made again, since the documents are read otherwise."""
    app, suite = trial.settings.app, trial.suite
    parts = as_variant(served, app, variant)
    if parts.variant(app).id == variant.id:
        wanted = Wanted(suite=suite.name, app=app, limit=0 if limit == len(suite.cases) else limit)
        told, cancelled, run = _named(trial, variant, watching), watching.cancelled, watching.run
        report = evaluate(parts, wanted, metrics=trial.yardstick, on_progress=told, cancelled=cancelled, run=run)
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


def _named(trial: Trial, variant: Variant, watching: Watching) -> Callable[[Progress], None] | None:
    """Tells of progress by the part that a variant plays here, since both bear the name of the application."""
    tell, part = watching.on_progress, "candidate" if variant == trial.candidate else "incumbent"
    return tell and (lambda now: tell(replace(now, target=f"{part} {variant.id[:8]}")))


def _forget(engine: Engine, steps: list[str], run: str) -> None:
    """Reports of the first so many cases were made only to be looked at; those that were there before stay.

    Of a run those go too that it made before it was killed.
    """
    if steps:
        made = delete(schema.reports).where(schema.reports.c.id.in_(steps))
        with engine.begin() as connection:
            connection.execute(made.where(schema.reports.c.run == run) if run else made)


def _written(engine: Engine, judged: Judged, trial: Trial, author: str) -> int:
    """Write the decision into the history of releases; one that stands there already is not written twice."""
    reason = {
        "gate": judged.gate,
        "outcome": judged.decision.outcome,
        "released": trial.released,
        "incumbent": judged.incumbent,
        "suite": judged.suite,
        "suite_id": trial.yardstick.id,
        "corpus": trial.corpus,
        "cases": judged.cases,
        **trial.rests,
        "reports": list(judged.reports),
        "settings": trial.settings.model_dump(mode="json"),
        "reasons": [asdict(one) for one in judged.decision.reasons],
    }
    return releases.decide(engine, judged.app, judged.candidate, reason=reason, author=author).number
