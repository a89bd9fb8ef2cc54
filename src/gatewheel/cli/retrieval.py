"""`gatewheel retrieval explain`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """Where each ranking had a passage, from 1."""

    id: str
    source: str
    span: tuple[int, int]
    score: float
    similarity: float
    ranks: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explain:
    """`gatewheel retrieval explain`"""

    terms: list[str]
    passages: list[Explained]


@click.group()
def command() -> None:
    """See why a passage was found."""


@command.command()
@click.argument("query")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--where", default="", metavar="FILTER")
@render.json_option
@click.pass_context
def explain(context: click.Context, /, query: str, k: int, where: str, as_json: bool) -> None:
    """The rank of each passage by words (bm25), by meaning (dense) and together."""
    with render.project(context) as project:
        hits = project.search(query, k=k, where=where)
        terms = project.parts.search.analyser.terms(query)
        if not hits:
            render.hint_when_empty(project)
    rows = [
        Explained(
            id=hit.passage.id,
            source=hit.passage.source,
            span=hit.passage.span,
            score=round(hit.score, 6),
            similarity=round(hit.similarity, 4),
            ranks=dict(hit.ranks),
        )
        for hit in hits
    ]
    if as_json:
        render.emit(Explain(terms=terms, passages=rows))
        return
    click.echo(f"terms: {' '.join(terms)}\n")
    click.echo("rank  bm25  dense  cosine  where")
    for at, (row, hit) in enumerate(zip(rows, hits, strict=True), start=1):
        bm25, dense = (row.ranks.get(name, "–") for name in ("bm25", "dense"))
        where_ = render.place(row.source, row.span, hit.passage.page)
        render.tell(f"{at:4}  {bm25:>4}  {dense:>5}  {row.similarity:6.3f}  {where_}")
