"""`gatewheel embeddings encode`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class Encode:
    """`gatewheel embeddings encode`: unit vectors, one a text."""

    encoder: str
    dimensions: int
    vectors: list[list[float]]


@click.group()
def command() -> None:
    """Encode texts."""


@command.command()
@click.argument("texts", nargs=-1, required=True)
@render.json_option
@click.pass_context
def encode(context: click.Context, /, texts: tuple[str, ...], as_json: bool) -> None:
    """The vectors of TEXTS; for people, their cosines with the first."""
    with render.project(context) as project:
        encoder = project.parts.encoder
        rows = encoder.encode(list(texts))
    if as_json:
        vectors = [[round(float(value), 6) for value in row] for row in rows]
        render.emit(Encode(encoder=encoder.id, dimensions=encoder.dimensions, vectors=vectors))
        return
    click.echo(f"encoder {encoder.id[:12]}, {encoder.dimensions} dimensions")
    for text, row in zip(texts, rows, strict=True):
        render.tell(f"{float(row @ rows[0]):7.4f}  {text}")
