"""`gatewheel serve`"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.serve.service import Service


@dataclass(frozen=True, kw_only=True, slots=True)
class Serve:
    """`gatewheel serve`: one line, printed when the first question can be answered; then it serves until stopped."""

    url: str
    pid: int


@click.command()
@click.option("--host", help="Address to listen on; default: [serve] host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 takes a free one; default: [serve] port.")
@click.option("--demo", is_flag=True, help="Make a sample project if there is none, and fill it with real questions.")
@click.option("--open", "browse", is_flag=True, help="Open the studio in the browser.")
@render.json_option
@click.pass_context
def command(
    context: click.Context, /, host: str | None, port: int | None, demo: bool, browse: bool, as_json: bool
) -> None:
    """Serve the project: an OpenAI-compatible endpoint, Gatewheel's API, and the studio.

    Without API keys only this machine is served. Ctrl-C finishes the answers under way; a second one ends at once.
    """
    from gatewheel.loop.serving import open_for_serving
    from gatewheel.serve import run
    from gatewheel.serve.demo import fill, prepare

    if demo:
        context.find_root().obj = str(prepare(Path(context.find_root().obj or "."), say=render.say))
    with render.project(context) as opened, open_for_serving(opened) as project:
        settings = project.config.serve
        bound = run.listen(settings.host if host is None else host, settings.port if port is None else port)
        run.refuse_unguarded(project, bound)
        if demo and not project.parts.store.totals()[0]:
            from gatewheel.loop.running import ingest

            with render.ingest_bar(quiet=as_json) as show:
                ingest(project, on_progress=show)

        def started(service: Service, url: str) -> None:
            if not as_json:
                click.echo(f"Gatewheel serves {project.config.root} at {url}")
                click.echo("Ctrl-C stops it and finishes the answers under way; a second one ends at once.")
            service.tried.wait()
            if service.closing.is_set():
                return
            if as_json:
                render.emit_line(Serve(url=url, pid=os.getpid()))
            if browse:
                click.launch(url)
            if demo:
                fill(service, url, say=render.say)

        run.serve(project, bound, started=started)
    if not as_json:
        click.echo("Stopped.")
