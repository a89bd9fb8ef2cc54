"""`gatewheel evals bar`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class BarRow:
    """A gate, a metric, or a file by its path in the project, and the SHA-256 of what it says."""

    what: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """`gatewheel evals bar`: all that decides what the gates of a project ask and how it is measured."""

    rows: list[BarRow]


@click.command()
@render.json_option
@click.pass_context
def bar(context: click.Context, /, as_json: bool) -> None:
    """All that decides what the gates ask and how it is measured, a line each as sha256sum prints it.

    What is the same at two commits sets the same bar for both.
    """
    from gatewheel.loop.bar import bar as bar_of

    with render.project(context) as project:
        rows = [BarRow(what=what, sha256=sha256) for what, sha256 in bar_of(project.config).items()]
    if as_json:
        render.emit(Bar(rows=rows))
    else:
        for row in rows:
            render.tell(f"{row.sha256}  {row.what}")


COMMANDS = (bar,)
