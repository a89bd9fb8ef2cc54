"""`gatewheel search`"""

from __future__ import annotations

import click

from gatewheel.cli import render, shapes


@click.command()
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many passages.")
@click.option("--where", default="", metavar="FILTER", help='Metadata filter, e.g. "path~=guide/ and lang=en".')
@click.option("--retriever", default="main", show_default=True, help="Which [retriever.*].")
@render.json_option
@click.pass_context
def command(context: click.Context, /, query: str, k: int, where: str, retriever: str, as_json: bool) -> None:
    """Find the passages nearest to QUERY, best first."""
    with render.project(context) as project:
        hits = project.search(query, k=k, where=where, retriever=retriever)
        if not hits:
            render.hint_when_empty(project)
    if as_json:
        render.emit(shapes.Search(passages=[shapes.found(hit) for hit in hits]))
        return
    for number, hit in enumerate(hits, start=1):
        render.passage(number, hit)
