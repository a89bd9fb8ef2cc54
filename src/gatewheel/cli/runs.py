"""`gatewheel runs list|show|watch|cancel|keep|resume`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import click

from gatewheel.cli import progress, render
from gatewheel.kernel.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class RunShow:
    """`gatewheel runs show`, `watch`, `cancel`, `keep` and `resume`; times are POSIX."""

    id: str
    kind: str
    state: str
    created: float
    started: float | None
    ended: float | None
    settings: dict[str, Any]
    config: dict[str, Any]
    progress: dict[str, Any]
    result: Any
    error: str
    machine: str
    parent: str | None
    process: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunList:
    """`gatewheel runs list`: each as `runs show` has it."""

    runs: list[dict[str, Any]]


@click.group()
def command() -> None:
    """List, watch, cancel and resume long work; end a tuning early."""


@command.command("list")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@render.json_option
@click.pass_context
def list_(context: click.Context, /, limit: int, as_json: bool) -> None:
    """The newest runs first."""
    from gatewheel.kernel import runs

    with render.project(context) as project:
        found = runs.recent(project.parts.engine, limit=limit)
    if as_json:
        render.emit(RunList(runs=[asdict(run) for run in found]))
        return
    for run in found:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created))
        took = f"{(run.ended or time.time()) - run.started:8.1f} s" if run.started else " " * 10
        click.echo(f"{run.id}  {run.kind:9} {run.state:11} {when} {took}  {run.why}")


@command.command()
@click.argument("run")
@render.json_option
@click.pass_context
def show(context: click.Context, /, run: str, as_json: bool) -> None:
    """A run with its settings, progress, result and machine."""
    from gatewheel.kernel import runs

    with render.project(context) as project:
        found = runs.get(project.parts.engine, run)
    _show(RunShow(**asdict(found)), as_json)


@command.command()
@click.argument("run")
@render.json_option
@click.pass_context
def watch(context: click.Context, /, run: str, as_json: bool) -> None:
    """Follow a run that another terminal started, until it ends."""
    from gatewheel.kernel import runs

    with render.project(context) as project, progress.bar(quiet=as_json) as bar:
        found = runs.get(project.parts.engine, run)
        while found.state in ("queued", "running"):
            bar(found.progress)
            time.sleep(0.2)
            found = runs.get(project.parts.engine, found.id)
    if found.state == "interrupted":
        raise UserError(f"nobody executes run {found.id}", cure=f"run `gatewheel runs resume {found.id}`")
    _show(RunShow(**asdict(found)), as_json)


@command.command()
@click.argument("run")
@render.json_option
@click.pass_context
def cancel(context: click.Context, /, run: str, as_json: bool) -> None:
    """Stop a run; what it finished stays."""
    from gatewheel.kernel import durable, runs

    with render.project(context) as project:
        found = runs.get(project.parts.engine, run)
        if found.state in runs.ENDED:
            raise UserError(f"run {found.id} is {found.state} already", cure="see `gatewheel runs list`")
        durable.stop(project.parts.engine, found.id)
        found = runs.get(project.parts.engine, found.id)
    _show(RunShow(**asdict(found)), as_json)


@command.command()
@click.argument("run")
@render.json_option
@click.pass_context
def keep(context: click.Context, /, run: str, as_json: bool) -> None:
    """End a tuning after the step that it is at, and keep the best adapter so far; a whole turn goes on with it."""
    from gatewheel.kernel import runs
    from gatewheel.loop import ending

    with render.project(context) as project:
        found = runs.get(project.parts.engine, run)
        ending.stop_and_keep(project.parts, found.id)
    if as_json:
        render.emit(RunShow(**asdict(found)))
        return
    click.echo(f"{found.id} ends after this step; see gatewheel runs watch {found.id}")


@command.command()
@click.argument("run")
@render.json_option
@click.pass_context
def resume(context: click.Context, /, run: str, as_json: bool) -> None:
    """Go on with a run that was cancelled, interrupted or failed."""
    from gatewheel.kernel import runs
    from gatewheel.loop import running

    with render.project(context) as project, progress.bar(quiet=as_json) as bar:
        found = runs.get(project.parts.engine, run)
        running.watch(project, found.id, on_progress=bar)
        found = runs.get(project.parts.engine, found.id)
    _show(RunShow(**asdict(found)), as_json)


def _show(shape: RunShow, as_json: bool) -> None:
    if as_json:
        render.emit(shape)
        return
    for key, value in asdict(shape).items():
        if value not in (None, "", {}) and key != "config":
            click.echo(f"{key:9} {value}")
