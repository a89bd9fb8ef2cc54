"""`gatewheel models adapters|export|import`"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.loop.artifacts import Artifact
    from gatewheel.loop.rounding import Rounding
    from gatewheel.loop.tainting import Taints


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundingRow:
    """By how much the perplexity of a file exceeds that of the weights as trained: `difference`, a share, ± `margin`.

    `of` names the text, of so many `tokens`: none where nothing was rounded. `difference` is null, and `of` says why,
    where it was not measured.
    """

    difference: float | None
    margin: float
    tokens: int
    of: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedFile:
    """A file of an adapter that is served: merged weights as GGUF of a `kind`, or `lora`, the adapter beside its base.

    `perplexity` is null for a file that was made before it was measured.
    """

    id: str
    kind: str
    bytes: int
    perplexity: RoundingRow | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterRow:
    """`gatewheel models import`, and one of `models adapters`: an adapter, `bytes` long, and what is known of it.

    `files` are those that were made of it to be served; `tainted` says what of its data was forgotten since.
    """

    id: str
    created: float
    run: str
    bytes: int
    meta: dict[str, Any]
    files: list[ServedFile]
    tainted: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterList:
    """`gatewheel models adapters`"""

    adapters: list[AdapterRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """`gatewheel models export`: what was written where, and what that cost in perplexity."""

    adapter: str
    kind: str
    path: str
    bytes: int
    perplexity: RoundingRow


@click.command()
@render.json_option
@click.pass_context
def adapters(context: click.Context, /, as_json: bool) -> None:
    """The adapters of the project, the newest first."""
    from gatewheel.loop import artifacts, tainting

    with render.project(context) as project:
        every, taints = artifacts.of(project.parts.engine), tainting.read(project.parts.engine)
    found = [_row(one, every, taints) for one in every if one.kind == "adapter"]
    if as_json:
        render.emit(AdapterList(adapters=found))
        return
    for row in found:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        data = str(row.meta.get("dataset", ""))[:12] or "elsewhere"
        render.tell(f"{row.id[:12]}  {day}  {row.bytes / 1e6:6.1f} MB  of {row.meta['base']['weights']}, data {data}")
        for file in row.files:
            render.tell(f"{'':14}{_told(file)}")
        if row.tainted:
            render.tell(f"{'':14}tainted: {tainting.told(row.tainted)}")
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

    from gatewheel.loop import adding, exporting, rounding

    path = Path.cwd() / to
    with render.project(context) as project:
        found = adding.adapter_named(project.parts, adapter)
        made = exporting.write(project.parts, found, path, kind=kind)
    if as_json:
        told = Exported(adapter=found.id, kind=kind, path=str(path), bytes=made.bytes, perplexity=_cost(made.rounding))
        render.emit(told)
        return
    render.tell(f"{to}: {kind}, {made.bytes / 1e6:.1f} MB, {rounding.told(made.rounding)}")
    if better := rounding.advice(made.rounding, kind):
        render.tell(better, bold=True, err=True)


@click.command("import")
@click.argument("folder", type=click.Path())
@click.option("--app", default="main", show_default=True, help="The [app.*] whose model it was trained on.")
@render.json_option
@click.pass_context
def import_(context: click.Context, /, folder: str, app: str, as_json: bool) -> None:
    """Take an adapter that was trained elsewhere, a folder as PEFT and TRL write it, for an application's model."""
    from pathlib import Path

    from gatewheel.loop import adding, artifacts, tainting

    with render.project(context) as project:
        made = adding.adopt(project.parts, Path.cwd() / folder, app=app)
        every, taints = artifacts.of(project.parts.engine), tainting.read(project.parts.engine)
    if as_json:
        render.emit(_row(made, every, taints))
    else:
        click.echo(f"adapter {made.id[:12]}\nNext: gatewheel variants add {made.id[:12]} --app {app}")


def served_file(one: Artifact) -> ServedFile:
    """A file that is served, as it is shown."""
    from gatewheel.loop import rounding

    cost = rounding.read(one.meta)
    perplexity = _cost(cost) if cost else None
    return ServedFile(id=one.id, kind=str(one.meta.get("quantisation", "")), bytes=one.bytes, perplexity=perplexity)


def tell_file(file: ServedFile) -> None:
    """A file on one line, and what to do about it where its kind costs too much."""
    from gatewheel.loop import rounding

    render.tell(_told(file))
    if file.perplexity and (better := rounding.advice(_cost_of(file.perplexity), file.kind)):
        render.tell(better, bold=True, err=True)


def _told(file: ServedFile) -> str:
    from gatewheel.loop import rounding

    cost = rounding.told(_cost_of(file.perplexity)) if file.perplexity else "perplexity not measured"
    return f"{file.kind}, {file.bytes / 1e6:.1f} MB, {cost}"


def _row(one: Artifact, every: Sequence[Artifact], taints: Taints) -> AdapterRow:
    files = [served_file(each) for each in every if each.kind != "adapter" and each.meta.get("adapter") == one.id]
    return AdapterRow(
        id=one.id,
        created=one.created,
        run=one.run,
        bytes=one.bytes,
        meta=dict(one.meta),
        files=files,
        tainted=list(taints.of_artifact(one.id)),
    )


def _cost(cost: Rounding) -> RoundingRow:
    return RoundingRow(difference=cost.difference, margin=cost.margin, tokens=cost.tokens, of=cost.of)


def _cost_of(row: RoundingRow) -> Rounding:
    from dataclasses import asdict

    from gatewheel.loop.rounding import Rounding

    return Rounding(**asdict(row))


COMMANDS = (adapters, export, import_)
