"""`gatewheel evals list|run|show|compare`, and of people: `label|agreement|ranking|export`"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import bar, calibrate, choosing, drafts, judging, label, render
from gatewheel.kernel.errors import UserError
from gatewheel.loop.evaluated import Head, ReportCompare, ReportShow

if TYPE_CHECKING:
    from pathlib import Path

    from gatewheel.loop.detecting import Detectable
    from gatewheel.loop.evaluate import Wanted
    from gatewheel.loop.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportList:
    """`gatewheel evals list`: reports, the newest first, and the names of all suites."""

    reports: list[Head]
    suites: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class CanTell:
    """The smallest difference in a metric that the suite shows four times in five; null where nothing is known.

    `basis` says where the spread was taken from: two reports, one report or worst case.
    """

    metric: str
    cases: int
    difference: float | None
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRun:
    """`gatewheel evals run`: what the suite can tell, said before the run, and a report for each target."""

    can_tell: list[CanTell]
    reports: list[ReportShow]
    seconds: float


against_option = click.option(
    "--against", multiple=True, type=click.Path(), help="A file that a model was trained on, to look for leaks in too."
)


@click.group()
def command() -> None:
    """Evaluate applications and models on suites, and compare them."""


for module in (label, judging, choosing, calibrate, drafts, bar):
    for more in module.COMMANDS:
        command.add_command(more)


@command.command("list")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--suite", default="", help="Only reports of this suite.")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, limit: int, suite: str, as_json: bool) -> None:
    """The newest reports first."""
    from gatewheel.cli import reports as tables
    from gatewheel.data import suites
    from gatewheel.loop import reports

    with render.project(context) as project:
        found = reports.heads(project.parts.engine, limit=limit, suite=suite)
        known = suites.names(project.config.root)
    if as_json:
        render.emit(ReportList(reports=found, suites=known))
        return
    for one in found:
        render.tell(tables.line(one))
    if not found:
        click.echo(f"No reports yet: gatewheel evals run SUITE. Suites: {', '.join(known) or 'none'}", err=True)


@command.command()
@click.argument("suite")
@click.option("--app", "apps", multiple=True, metavar="NAME", help="An [app.*] to ask; can be given several times.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="A [model.*] to ask by itself; the same.")
@click.option(
    "--variant", "variants", multiple=True, metavar="ID", help="A kept one, made as the first --app or the suite's."
)
@click.option("--limit", default=0, type=click.IntRange(min=0), help="So many cases only, always the same; 0: all.")
@click.option("--repeat", default=0, type=click.IntRange(min=0), help="How often each case, where words are sampled.")
@against_option
@render.json_option
@click.pass_context
def run(
    context: click.Context,
    /,
    suite: str,
    apps: tuple[str, ...],
    models: tuple[str, ...],
    variants: tuple[str, ...],
    against: tuple[str, ...],
    as_json: bool,
    **size: int,
) -> None:
    """Ask the cases of SUITE and score the answers. What was answered before is not asked again.

    Ctrl-C keeps what was answered; the same command, or `gatewheel runs resume`, goes on from there.
    """
    from gatewheel.cli import progress
    from gatewheel.cli import reports as tables
    from gatewheel.loop import reports, running
    from gatewheel.loop.evaluate import Wanted

    plain = Wanted(suite=suite, limit=size["limit"], repeat=size["repeat"])
    wanted = [replace(plain, app=app) for app in apps] + [replace(plain, model=model) for model in models]
    wanted += [replace(plain, app=next(iter(apps), ""), variant=variant) for variant in variants]
    wanted = wanted or [plain]
    began = time.monotonic()
    with render.project(context) as project:
        can_tell = _foreseen(project, wanted)
        if not as_json:
            tables.foresee(can_tell)
        with progress.bar(quiet=as_json) as show:
            result = running.evaluate(project, wanted, on_progress=show)
        made = [_shown(project, reports.get(project.parts.engine, id_), against) for id_ in result["reports"]]
    if as_json:
        told = [CanTell(metric=t.metric, cases=t.cases, difference=t.difference, basis=t.basis) for t in can_tell]
        render.emit(ReportRun(can_tell=told, reports=made, seconds=round(time.monotonic() - began, 3)))
        return
    for one in made:
        if size["repeat"] > 1 and not any(row.repeat for row in one.rows):
            render.say(f"{one.report.target} samples nothing, so each case was asked once")
        tables.show(one)
        click.echo()
    if len(made) > 1:
        click.echo(f"Compare them: gatewheel evals compare {made[0].report.id[:12]} {made[1].report.id[:12]}")


@command.command()
@click.argument("report")
@against_option
@render.json_option
@click.pass_context
def show(context: click.Context, /, report: str, against: tuple[str, ...], as_json: bool) -> None:
    """REPORT with its figures and slices: the beginning of its id, or the name of who was asked for the newest."""
    from gatewheel.cli import reports as tables
    from gatewheel.loop import reports

    with render.project(context) as project:
        shape = _shown(project, reports.find(project.parts.engine, report), against)
    if as_json:
        render.emit(shape)
    else:
        tables.show(shape, failed=20)


@command.command()
@click.argument("a")
@click.argument("b")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only this one; can be given several times.")
@click.option(
    "--margin", default=0.02, show_default=True, type=click.FloatRange(0, 1), help="What does not matter: a share."
)
@click.option("--flips", default=5, show_default=True, type=click.IntRange(min=0), help="So many cases that flipped.")
@against_option
@render.json_option
@click.pass_context
def compare(
    context: click.Context,
    /,
    a: str,
    b: str,
    metrics: tuple[str, ...],
    margin: float,
    flips: int,
    against: tuple[str, ...],
    as_json: bool,
) -> None:
    """Report B against report A, case by case: better, worse, equivalent or inconclusive.

    Both are named as for `show`. --margin is a share of the range of each metric; flips are shown by the first metric.
    """
    from gatewheel.cli import reports as tables

    with render.project(context) as project:
        shape = _compared(project, (a, b), metrics, margin, against)
    if as_json:
        render.emit(shape)
    else:
        tables.compare(shape, flips=flips)


def _foreseen(project: Project, wanted: list[Wanted]) -> list[Detectable]:
    """What the suite can tell. Raises what is wrong with suite or targets, before anything is begun."""
    from gatewheel.data import suites
    from gatewheel.loop import evaluate, soundness, variants
    from gatewheel.loop.detecting import detectable

    suite = suites.load(project.config.root, wanted[0].suite)
    for one in wanted:
        for kind, name in (("app", one.app), ("model", one.model)):
            if name:
                project.config.table(kind, name)
        if one.variant:
            variants.get(project.parts.engine, one.variant)
    asks_app = any(one.app or one.variant or (suite.target == "app" and not one.model) for one in wanted)
    if asks_app and (stale := soundness.outdated(project.parts)):
        project.parts.say(str(stale))
    metrics = evaluate.metrics_of(project.parts, suite.metrics)
    cases = evaluate.chosen(suite.cases, wanted[0].limit)
    return detectable(project.parts.engine, evaluate.scored_by(project.parts, suite), cases, metrics)


def _shown(project: Project, kept: Any, against: tuple[str, ...]) -> ReportShow:
    from gatewheel.loop import leaks, marking, showing
    from gatewheel.loop.columns import metrics_in
    from gatewheel.loop.evaluate import metrics_of

    found = leaks.of_report(project.parts, kept, against=_files(against))
    metrics = metrics_of(project.parts, metrics_in(kept.report))
    shape = showing.shown(project.parts.engine, kept, metrics, leaks=found)
    return marking.shown(project.parts.engine, shape, kept, metrics)


def _compared(
    project: Project, names: tuple[str, str], wanted: tuple[str, ...], margin: float, against: tuple[str, ...]
) -> ReportCompare:
    from gatewheel.loop import comparing, leaks, marking, reports, showing
    from gatewheel.loop.evaluate import metrics_of

    engine = project.parts.engine
    left, right = (reports.find(engine, name) for name in names)
    picked = comparing.picked(left.report, wanted)
    project.parts.say(f"comparing {len(left.cases)} cases by {len(picked)} metrics")  # it may take some seconds
    leaked = leaks.of_reports(project.parts, [left, right], against=_files(against))
    metrics = metrics_of(project.parts, picked)
    found = comparing.compared(left, right, metrics, margin=margin, hits=leaked.cases)
    flips = comparing.flips(left.report, right.report, picked[0], metrics[picked[0]])
    told = showing.flipped(engine, left, right, picked[0], flips)
    shape = showing.comparison(left, right, found, told, margin=margin, leaks=leaked)
    return marking.compared(engine, shape, (left, right), metrics)


def _files(named: tuple[str, ...]) -> list[Path]:
    """Files as they are named from the current folder. Raises UserError for one that is not there."""
    from pathlib import Path

    found = [Path.cwd() / name for name in named]
    for path in found:
        if not path.exists():
            raise UserError(f"there is no {path}", cure="name a file of cases")
    return found
