"""`gatewheel ingest`"""

from __future__ import annotations

import time
from typing import Any

import click

from gatewheel.cli import render, shapes


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS or globs]")
@click.option("--text-field", help="JSONL: the field that holds a document's text.")
@click.option("--title-field", help="JSONL: the field that holds its title.")
@click.option("--id-field", help="JSONL: the field that names it.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, paths: tuple[str, ...], as_json: bool, **fields: str | None) -> None:
    """Read documents into the index: those of [sources], or PATHS.

    Only what changed is read again; what is gone is dropped; one bad file loses nothing else.
    Exits with 1 when one of PATHS names nothing; the others are read all the same.
    """
    from gatewheel.loop.ingest import unmatched
    from gatewheel.loop.running import ingest

    chosen = {name: value for name, value in fields.items() if value}
    began = time.monotonic()
    with render.project(context) as project, render.ingest_bar(quiet=as_json) as show:
        result = ingest(project, paths, fields=chosen, on_progress=show)
    shape = _shape(result, time.monotonic() - began)
    missing = unmatched((skipped.source, skipped.reason) for skipped in shape.skipped)
    if as_json:
        render.emit(shape)
        context.exit(1 if missing else 0)
    for skipped in shape.skipped:
        render.tell(f"skipped {skipped.source}: {skipped.reason}", err=True)
    click.echo(
        f"{shape.documents} documents, {shape.passages} passages: {shape.added} added, {shape.updated} updated, "
        f"{shape.removed} removed, {shape.unchanged} unchanged, {len(shape.skipped)} skipped in {shape.seconds:.1f} s"
    )
    for name, value in chosen.items():
        click.echo(f'To read it so every time, write [reader.jsonl] {name} = "{value}" into gatewheel.toml.', err=True)
    if not shape.documents:
        click.echo("Nothing to ask about yet: put documents here, or name them: gatewheel ingest PATH", err=True)
    context.exit(1 if missing else 0)


def _shape(result: dict[str, Any], seconds: float) -> shapes.Ingest:
    skipped = [shapes.Skipped(**refusal) for refusal in result["skipped"]]
    return shapes.Ingest(**{**result, "skipped": skipped}, seconds=round(seconds, 3))
