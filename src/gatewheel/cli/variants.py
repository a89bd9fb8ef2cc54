"""`gatewheel variants list|show|diff|add`"""

from __future__ import annotations

import difflib
import json
import time
from dataclasses import dataclass
from typing import Any

import click

from gatewheel.cli import render
from gatewheel.cli.exporting import ServedFile, served_file, tell_file


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantRow:
    """A recipe and how often it answered."""

    id: str
    created: float
    traces: int
    current: bool
    recipe: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantList:
    """`gatewheel variants list`"""

    variants: list[VariantRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantShow:
    """`gatewheel variants show`: `prompt` is the text of the prompt file that the recipe names by its SHA-256."""

    id: str
    recipe: dict[str, Any]
    prompt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One key in which two recipes differ."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantDiff:
    """`gatewheel variants diff`"""

    a: str
    b: str
    differences: list[Difference]


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantAdded:
    """`gatewheel variants add`: `file` is the one that its model is served from, or that lies beside its weights."""

    id: str
    app: str
    recipe: dict[str, Any]
    file: ServedFile


@click.group()
def command() -> None:
    """List, show, compare and add recipes of answering."""


@command.command()
@click.argument("tuned")
@click.option("--app", default="main", show_default=True, help="Which [app.*] it is a variant of.")
@click.option(
    "--kind", default="Q8_0", show_default=True, help="Merged as GGUF of this kind, or lora: beside its base."
)
@render.json_option
@click.pass_context
def add(context: click.Context, /, tuned: str, app: str, kind: str, as_json: bool) -> None:
    """Keep an application with TUNED, the run of a tuning or an adapter, as a variant to evaluate, gate and release."""
    from gatewheel.loop import adding

    with render.project(context) as project:
        made = adding.add(project.parts, tuned, app=app, kind=kind)
        file = served_file(adding.file_of(project.parts, made))
    if as_json:
        render.emit(VariantAdded(id=made.id, app=app, recipe=dict(made.recipe), file=file))
        return
    click.echo(f"variant {made.id[:12]} of [app.{app}]")
    tell_file(file)
    click.echo(
        f"Next: gatewheel evals run SUITE --app {app} --variant {made.id[:12]}, or gatewheel gate {made.id[:12]}"
    )


@command.command("list")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """Every variant that ever answered, and the one that gatewheel.toml describes now."""
    from gatewheel.loop import variants

    with render.project(context) as project:
        current = project.parts.keep_variant()
        rows = [VariantRow(**row, current=row["id"] == current.id) for row in variants.listed(project.parts.engine)]
    if as_json:
        render.emit(VariantList(variants=rows))
        return
    for row in rows:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        mark = "*" if row.current else " "
        model = row.recipe["model"]
        what = f"{model.get('engine', model['use'])} {model.get('weights', model.get('model', ''))}"
        click.echo(f"{mark} {row.id[:12]}  {day}  {row.traces:5} answers  {what}")


@command.command()
@click.argument("variant", default="")
@render.json_option
@click.pass_context
def show(context: click.Context, /, variant: str, as_json: bool) -> None:
    """The recipe of VARIANT (the beginning of its id is enough), or of the current one."""
    from gatewheel.loop import variants

    with render.project(context) as project:
        found = variants.get(project.parts.engine, variant) if variant else project.parts.keep_variant()
        prompt = variants.prompt_of(project.parts.objects, found)
    if as_json:
        render.emit(VariantShow(id=found.id, recipe=dict(found.recipe), prompt=prompt))
        return
    click.echo(found.id)
    click.echo(json.dumps(found.recipe, indent=2, ensure_ascii=False))
    render.tell(f"\n{prompt}")


@command.command()
@click.argument("a")
@click.argument("b", default="")
@render.json_option
@click.pass_context
def diff(context: click.Context, /, a: str, b: str, as_json: bool) -> None:
    """In what variant A differs from B, or from the current one."""
    from gatewheel.loop import variants

    with render.project(context) as project:
        left = variants.get(project.parts.engine, a)
        right = variants.get(project.parts.engine, b) if b else project.parts.keep_variant()
        before, after = (variants.prompt_of(project.parts.objects, one).splitlines() for one in (left, right))
    found = [Difference(key=k, a=x, b=y) for k, x, y in variants.difference(left.recipe, right.recipe)]
    if as_json:
        render.emit(VariantDiff(a=left.id, b=right.id, differences=found))
        return
    for one in found:
        render.tell(f"{one.key}: {one.a!r} → {one.b!r}")
    for line in difflib.unified_diff(before, after, "a", "b", lineterm=""):
        render.tell(line)
    if not found:
        click.echo("They are the same.")
