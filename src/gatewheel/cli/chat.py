"""`gatewheel chat`"""

from __future__ import annotations

import sys

import click

from gatewheel.cli import render, shapes
from gatewheel.cli.ask import Screen, show
from gatewheel.kernel.errors import UserError


@click.command()
@click.option("--where", default="", metavar="FILTER", help='Metadata filter, e.g. "path~=guide/ and lang=en".')
@click.option("--app", default="main", show_default=True, help="Which [app.*] answers.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, where: str, app: str, as_json: bool) -> None:
    """Ask several questions in a row; each is understood with those before it.

    Reads one question a line; an empty line or Ctrl-D ends. With --json each answer is one line of JSON.
    """
    with render.project(context) as project:
        render.refuse_without_documents(project, app)
        render.tell_release(project, app)
        chat = project.chat(app=app, where=where)
        people = sys.stdin.isatty() and not as_json
        if people:
            click.echo(click.style("Ask; an empty line ends.", dim=True))
        while question := _read(people):
            try:
                with Screen(live=people and sys.stdout.isatty()) as screen:
                    answer = chat.ask(question, listener=screen.listener)
            except UserError as error:
                if not people:
                    raise
                render.tell(f"{error}", err=True)
                continue
            if as_json:
                render.emit_line(shapes.asked(answer))
            else:
                show(answer)


def _read(people: bool) -> str:
    if people:
        try:
            return input("\n> ").strip()
        except EOFError:
            return ""
    return sys.stdin.readline().strip()
