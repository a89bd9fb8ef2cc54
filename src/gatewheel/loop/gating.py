"""A candidate before its gate: both variants go through the suite, the gate decides, the decision is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from gatewheel.loop import answered, besides, unseen
from gatewheel.loop.compose import Parts
from gatewheel.loop.correcting import corrected
from gatewheel.loop.evaluate import Wanted, evaluate, scored_of
from gatewheel.loop.leaks import clean
from gatewheel.loop.progress import NOBODY, OnProgress, Watching
from gatewheel.loop.releasing import as_filed, as_variant, find
from gatewheel.loop.serving import as_served
from gatewheel.loop.trial import Trial, opened, trial_of
from gatewheel.loop.weighing import Looking, independent, weigh
from gatewheel.ops import releases
from gatewheel.ops.gate import Decision, Gate, Measurements


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who stands before which gate: an application's name, or the beginning of a variant's id. Empty is as usual."""

    candidate: str
    gate: str = ""
    against: str = ""
    author: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
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


def decide(
    parts: Parts, candidate: str, *, name: str = "", against: str = "", watching: Watching = NOBODY, author: str = ""
) -> Decided:
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
        decision, made = _decision(served, trial, watching)
    decided = Decided(
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
    return replace(decided, row=_written(parts.engine, decided, trial, author)) if trial.official else decided


def refuse_unknown(parts: Parts, asked: Asked) -> None:
    """Raises what `decide` would raise at once, before anything is queued."""
    with as_filed(parts) as served:
        opened(served.config, asked.gate or usual(served.config))
        for named in filter(None, (asked.candidate, asked.against)):
            find(served, named)


def decided_of(plain: Any) -> Decided:
    """What a run of a gate left as its result."""
    return TypeAdapter(Decided).validate_python(plain)


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


def _decision(served: Parts, trial: Trial, watching: Watching) -> tuple[Decision, list[Report]]:
    """The decision and the reports of the candidate and of the incumbent, after as many cases as it takes.

    Nobody is asked anything where no answer could change it.
    """
    known = besides.reasons(served, trial)
    if any(one.outcome != "promote" for one in known):
        return trial.gate.decide(None, besides=known), []
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
        if complete or _settled(trial.gate, measured, every=every):
            break
        steps += [report.id for report in made if watching.run or report.created >= began]
    _forget(served.engine, steps, watching.run)
    return trial.gate.decide(measured, besides=known), made


def _measured(
    served: Parts, trial: Trial, made: Sequence[Report], slices: Sequence[str], looking: Looking
) -> tuple[Measurements, bool]:
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


def _settled(gate: Gate, measured: Measurements, *, every: bool) -> bool:
    """Whether more cases would change nothing: a demand is refuted, or all are shown, on every slice.

    A floor or a ceiling is about the figure of the whole suite, so nothing passes one before the end.
    """
    if measured.unanswered or any(found.shown is False for found in measured.findings or ()):
        return True
    if gate.settings.floors or gate.settings.ceilings or not every:
        return False
    return gate.decide(measured).outcome == "promote"


def _report(served: Parts, trial: Trial, variant: Variant, limit: int, watching: Watching) -> Report:
    """The report of a variant, by what it answered before where the documents are read otherwise by now."""
    app, suite, by = trial.settings.app, trial.suite, trial.yardstick
    wanted = Wanted(suite=suite.name, app=app, limit=0 if limit == len(suite.cases) else limit)
    watching = replace(watching, on_progress=_named(trial, variant, watching))
    parts = as_variant(served, app, variant)
    if parts.variant(app).id != variant.id:
        before = answered.target(served, app, variant, suite)
        return scored_of(served, before, wanted, metrics=by, watching=watching)
    told, cancelled, run = watching.on_progress, watching.cancelled, watching.run
    report = evaluate(parts, wanted, metrics=by, on_progress=told, cancelled=cancelled, run=run)
    assert report.variant == variant.id
    if report.corpus != trial.corpus:
        raise ProjectError("the documents changed meanwhile", cure="run it again")
    return report


def _named(trial: Trial, variant: Variant, watching: Watching) -> OnProgress | None:
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


def _written(engine: Engine, decided: Decided, trial: Trial, author: str) -> int:
    """Write the decision into the history of releases; one that stands there already is not written twice."""
    reason = {
        "gate": decided.gate,
        "outcome": decided.decision.outcome,
        "released": trial.released,
        "incumbent": decided.incumbent,
        "suite": decided.suite,
        "suite_id": trial.yardstick.id,
        "corpus": trial.corpus,
        "cases": decided.cases,
        **trial.rests,
        "reports": list(decided.reports),
        "settings": trial.settings.model_dump(mode="json"),
        "reasons": [asdict(one) for one in decided.decision.reasons],
    }
    return releases.record(engine, decided.app, decided.candidate, reason=reason, author=author).number
