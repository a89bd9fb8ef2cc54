"""`gatewheel models adapters|export|import`"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.loop.artifacts import Artifact


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterRow:
    """`gatewheel models import`, and one of `models adapters`: an adapter, `bytes` long, and what is known of it."""

    id: str
    created: float
    run: str
    bytes: int
    meta: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterList:
    """`gatewheel models adapters`"""

    adapters: list[AdapterRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """`gatewheel models export`: what was written where."""

    adapter: str
    kind: str
    path: str
    bytes: int


@click.command()
@render.json_option
@click.pass_context
def adapters(context: click.Context, /, as_json: bool) -> None:
    """The adapters of the project, the newest first."""
    from gatewheel.loop import artifacts

    with render.project(context) as project:
        found = artifacts.of(project.parts.engine, kind="adapter")
    if as_json:
        render.emit(AdapterList(adapters=[_row(one) for one in found]))
        return
    for one in found:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        data = str(one.meta.get("dataset", ""))[:12] or "elsewhere"
        render.tell(f"{one.id[:12]}  {day}  {one.bytes / 1e6:6.1f} MB  of {one.meta['base']['weights']}, data {data}")
    if not found:
        click.echo("No adapters yet: gatewheel finetune lora --data SUITE", err=True)


@click.command()
@click.argument("adapter")
@click.option("--kind", default="Q8_0", show_default=True, help="A type of GGUF, folder, or lora: the adapter alone.")
@click.option("--to", required=True, type=click.Path(), help="The file or folder, which must not be there yet.")
@render.json_option
@click.pass_context
def export(context: click.Context, /, adapter: str, kind: str, to: str, as_json: bool) -> None:
    """Write ADAPTER, or that of a run, merged into its base: as GGUF, or as a Hugging Face folder."""
    from pathlib import Path

    from gatewheel.loop import adding, exporting

    path = Path.cwd() / to
    with render.project(context) as project:
        found = adding.adapter_named(project.parts, adapter)
        size = exporting.write(project.parts, found, path, kind=kind)
    if as_json:
        render.emit(Exported(adapter=found.id, kind=kind, path=str(path), bytes=size))
    else:
        click.echo(f"{to}: {size / 1e6:.1f} MB")


@click.command("import")
@click.argument("folder", type=click.Path())
@click.option("--app", default="main", show_default=True, help="The [app.*] whose model it was trained on.")
@render.json_option
@click.pass_context
def import_(context: click.Context, /, folder: str, app: str, as_json: bool) -> None:
    """Take an adapter that was trained elsewhere, a folder as PEFT and TRL write it, for an application's model."""
    from pathlib import Path

    from gatewheel.loop import adding

    with render.project(context) as project:
        made = adding.adopt(project.parts, Path.cwd() / folder, app=app)
    if as_json:
        render.emit(_row(made))
    else:
        click.echo(f"adapter {made.id[:12]}\nNext: gatewheel variants add {made.id[:12]} --app {app}")


def _row(one: Artifact) -> AdapterRow:
    return AdapterRow(id=one.id, created=one.created, run=one.run, bytes=one.bytes, meta=dict(one.meta))


COMMANDS = (adapters, export, import_)
