"""`gatewheel rag passages`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Passage


@dataclass(frozen=True, kw_only=True, slots=True)
class CutPassage:
    """A passage as a chunker cut it; `tokens` are the encoder's."""

    source: str
    span: tuple[int, int]
    page: int | None
    heading: str
    tokens: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Passages:
    """`gatewheel rag passages`"""

    passages: list[CutPassage]


def cut(passage: Passage) -> CutPassage:
    """A passage as the outside sees it before it is indexed."""
    return CutPassage(
        source=passage.source,
        span=passage.span,
        page=passage.page,
        heading=passage.heading,
        tokens=passage.tokens,
        text=passage.text,
    )


@click.group()
def command() -> None:
    """See how a document is read and cut into passages."""


@command.command()
@click.argument("file", type=click.Path())
@click.option("--chunker", default="", help="A strategy of the catalog instead of the project's own.")
@render.json_option
@click.pass_context
def passages(context: click.Context, /, file: str, chunker: str, as_json: bool) -> None:
    """The passages of FILE, without ingesting it."""
    from pathlib import Path

    from gatewheel.loop.preview import preview

    with render.project(context) as project:
        found = preview(project.parts, Path.cwd() / file, chunker=chunker)
    if not found:
        raise UserError(f"{file} has no passages", cure="see whether it has text")
    if as_json:
        render.emit(Passages(passages=[cut(passage) for passage in found]))
        return
    for passage in found:
        where = render.place(passage.source, passage.span, passage.page)
        render.tell(f"── {where}, {passage.tokens} tokens  {passage.heading}", dim=True)
        render.tell(passage.text)
