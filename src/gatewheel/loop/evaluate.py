"""A suite through a target: every case is asked once and never again, every answer scored, and a Report made of it.

What is evaluated is what would be served: local models with the slots of `[serve]`. No trace is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

from gatewheel.data import sides, suites
from gatewheel.data.cases import identity
from gatewheel.data.suites import Suite
from gatewheel.evals import resolve
from gatewheel.kernel.errors import Cancelled, ConfigError
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.kernel.ports import Metric
from gatewheel.loop import calibrated, likelihoods, prices, putting, reports, targets, variants
from gatewheel.loop.answers import Key
from gatewheel.loop.asking import Job, replies
from gatewheel.loop.compose import Parts
from gatewheel.loop.progress import NOBODY, Notes, OnProgress, Watching
from gatewheel.loop.recipes import digest, words
from gatewheel.loop.releasing import as_variant
from gatewheel.loop.reports import Asked, Kept
from gatewheel.loop.scoring import Scorer, check_repeats, together
from gatewheel.loop.serving import as_served, shared
from gatewheel.loop.targets import Target
from gatewheel.loop.verdicts import ProjectVerdicts


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to evaluate. Without `app`, `model` and `variant` it is what the suite names.

    `variant` is the beginning of the id of a kept one, made again as `app`, or as the suite's where that is empty.
    `limit` cases at most, chosen by their content, so that 50 are among 100; 0 is all. `repeat` 0 is as the suite says.
    """

    suite: str
    app: str = ""
    model: str = ""
    variant: str = ""
    limit: int = 0
    repeat: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Yardstick:
    """What scores answers: metrics by name, and a suite as it was read once, whatever its files say meanwhile.

    Only reports of one `id` were scored by the same, on the same cases.
    """

    suite: Suite
    metrics: Mapping[str, Metric]
    id: str


def evaluate(
    parts: Parts,
    wanted: Wanted,
    *,
    metrics: Yardstick | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    run: str = "",
) -> Report:
    """Ask a suite's cases of one target and keep the report. Stopped at any moment, the next call goes on from there.

    A case that fails is a row with its error, and counts as the worst that a metric can give. Raises UserError for a
    suite that cannot be read, or whose cases are in the other split; what would fail every case; Cancelled. `metrics`
    are those of the suite as another configuration builds them, so that no candidate is judged by its own checker.
    """
    watching = Watching(on_progress=on_progress, cancelled=cancelled, run=run)
    with as_served(parts) as served:
        metrics = metrics or yardstick(served, suites.load(parts.config.root, wanted.suite))
        target = _target(served, wanted, metrics.suite, chosen(metrics.suite.cases, wanted.limit))
        return scored_of(served, target, wanted, metrics=metrics, watching=watching)


def scored_of(
    parts: Parts, target: Target, wanted: Wanted, *, metrics: Yardstick, watching: Watching = NOBODY
) -> Report:
    """The report of a target, which is asked what it has not answered yet; as `evaluate`, whose `wanted` it is."""
    suite = metrics.suite
    times = (wanted.repeat or suite.repeat) if target.sampled else 1
    check_repeats(metrics.metrics, target, times)
    # for ever, so only once there is somebody to ask
    sides.enter(parts.config.root, parts.engine, suite.cases, suite.split, tell=parts.say)
    jobs = jobs_of(target, chosen(suite.cases, wanted.limit), times)
    notes = Notes(target.name, len(jobs), watching.on_progress)

    def look() -> None:
        notes.tell()
        if watching.cancelled():
            raise Cancelled("stopped; what was answered stays, and the same evaluation goes on from there")
        if parts.payer:
            parts.payer.refuse_spent()

    scored: dict[tuple[str, int], Scored] = {}
    with Scorer(metrics.metrics) as scorer, closing(replies(parts.engine, target, jobs, look=look)) as stream:
        for reply in stream:
            scored[reply.job.case.id, reply.job.repeat] = scorer.score(reply)
            notes.take(known=reply.known, failed=bool(reply.error))
    report = Report(
        id="",
        created=time.time(),
        suite=suite.name,
        suite_id=metrics.id,
        variant=target.variant,
        corpus=target.corpus,
        rows=together([scored[job.case.id, job.repeat] for job in jobs], metrics.metrics),
    )
    report = replace(report, id=reports.identity(report))
    asked = {job.case.id: _asked(job) for job in jobs}
    return reports.keep(parts.engine, Kept(report=report, target=target.name, run=watching.run, cases=asked)).report


def chosen(cases: Sequence[Case], limit: int) -> list[Case]:
    """At most `limit` of the cases in their order, as if by lot, but always the same; 0 is all."""
    if not limit or limit >= len(cases):
        return list(cases)
    taken = {case.id for case in sorted(cases, key=identity)[:limit]}
    return [case for case in cases if case.id in taken]


def metrics_of(parts: Parts, names: Iterable[str]) -> dict[str, Metric]:
    """Metrics by name, with the parts of the project that they ask for. Raises ConfigError for one nobody knows."""
    names = list(names)
    from gatewheel.rag.sentences import sentence_spans

    made: dict[str, Callable[[], Any]] = {
        "encoder": lambda: parts.encoder,
        "checker": lambda: parts.checker("main"),
        "sentences": lambda: sentence_spans,
        "models": lambda: parts.model,
        "verdicts": lambda: ProjectVerdicts(parts),
        "prices": lambda: prices.PriceList(parts),
    }
    wanted = resolve.needs(parts.config, names)
    at_hand = {part: make() for part, make in made.items() if part in wanted}
    for name in names:
        calibrated.refuse_others(parts, name)
    return {name: resolve.metric(parts.config, name, **_by_name(parts, name, at_hand)) for name in names}


def _by_name(parts: Parts, name: str, at_hand: Mapping[str, Any]) -> dict[str, Any]:
    """The parts for one metric: its likelihoods are of the model that its settings name, loaded when it asks."""
    model = resolve.likelihood_model(parts.config, name)
    return {**at_hand, "likelihoods": parts.likelihoods(model)} if model else {**at_hand}


def yardstick(parts: Parts, suite: Suite) -> Yardstick:
    """The metrics of a suite by the settings of this project. Raises ConfigError for one nobody knows."""
    return Yardstick(suite=suite, metrics=metrics_of(parts, suite.metrics), id=scored_by(parts, suite))


def scored_by(parts: Parts, suite: Suite) -> str:
    """The id of a suite with all that decides its scores: its metrics, their settings and files, and who judges."""
    recipe = {name: resolve.recipe(parts.config, name) for name in suite.metrics}
    wanted = resolve.needs(parts.config, suite.metrics)
    judges: dict[str, Any] = {}
    if "checker" in wanted:
        judges["checker"] = words(parts.config.table("checker", "main"))
    if {"checker", "encoder"} & wanted:  # a checker may compare by vectors
        judges["encoder"] = parts.encoder.id
    if "prices" in wanted:
        judges["prices"] = prices.told(parts)
    if models := resolve.models(parts.config, suite.metrics):
        served = shared(parts.config)
        judges["models"] = {name: parts.shelf.recipe(served, served.table("model", name)) for name in sorted(models)}
    if telling := resolve.likelihood_models(parts.config, suite.metrics):
        judges["likelihoods"] = {name: parts.likelihood_shelf.recipe(parts.written, name) for name in sorted(telling)}
    return digest([suite.id, recipe, judges])


def _target(parts: Parts, wanted: Wanted, suite: Suite, cases: Sequence[Case]) -> Target:
    app = wanted.app or (suite.target_name if suite.target == "app" and not wanted.model else "")
    app = app or ("main" if wanted.variant else "")
    if app and suite.answer == "likelihood":
        what = f'{suite.path.name}: answer: "likelihood" is of given texts, and app {app} writes its own'
        raise ConfigError(what, cure="ask a model: --model chat")
    if app:
        if suite.few_shot:
            what = f"{suite.path.name}: few_shot: an application shows no examples, and app {app} is asked"
            raise ConfigError(what, cure="remove few_shot, or ask a model: model = …")
        if wanted.variant:
            parts = as_variant(parts, app, variants.get(parts.engine, wanted.variant))
        return targets.application(parts, app, cases)
    if suite.answer == "likelihood":
        return likelihoods.target(parts, wanted.model or suite.target_name, suite)
    return targets.model(parts, wanted.model or suite.target_name, suite)


def jobs_of(target: Target, cases: Sequence[Case], times: int) -> list[Job]:
    """What a target is asked: each case so many times."""
    return [Job(case=case, repeat=n, key=_key(target, case, n)) for case in cases for n in range(times)]


def _key(target: Target, case: Case, repeat: int) -> Key:
    return Key(variant=target.variant, corpus=target.state_for(case), case=put(case), repeat=repeat)


def put(case: Case) -> str:
    """An answer is found again by what was put, to the last space: to mend what a case expects costs no new answer."""
    turns, sources = [asdict(turn) for turn in case.history], case.sources if case.context else ()
    all_of_it = [case.question, turns, case.context, case.choices, putting.schema_of(case), sources]
    return digest(all_of_it)[:32]


def still(case: Case | None, asked: Asked) -> bool:
    """Whether a case of today's suite is what was asked then, to the last space of its context."""
    return case is not None and put(case) == asked.key


def _asked(job: Job) -> Asked:
    expected = (job.case.label,) if job.case.label else job.case.references
    return Asked(question=job.case.question, expected=expected, key=job.key.case, corpus=job.key.corpus)
