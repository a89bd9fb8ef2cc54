"""`gatewheel init`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class Init:
    """`gatewheel init`"""

    project: str
    written: list[str]


@click.command()
@click.argument("folder", default="", metavar="[DIR]")
@click.option("--sample", is_flag=True, help="Add Gatewheel's own documentation as documents to try.")
@render.json_option
@click.pass_context
def command(context: click.Context, folder: str, sample: bool, as_json: bool) -> None:
    """Make a project: gatewheel.toml, prompts/, suites/ and a .gitignore."""
    from gatewheel.loop.starting import init

    target = Path(folder or context.find_root().obj)
    written = init(target, sample=sample)
    if as_json:
        render.emit(Init(project=str(target), written=[path.relative_to(target).as_posix() for path in written]))
        return
    click.echo(f"A project in {target}/ with {len(written)} files.")
    where = "" if target.resolve() == Path.cwd() else f" -C {target}"
    click.echo(f"Next: gatewheel{where} ingest")
