"""`gatewheel ops spending`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendingDay:
    """What one key took on one day in UTC; `key` is empty for the owner."""

    key: str
    name: str
    day: str
    requests: int
    input_tokens: int
    output_tokens: int
    dollars: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """`gatewheel ops spending`: the newest day first."""

    days: list[SpendingDay]


@click.group()
def command() -> None:
    """See what a running application takes."""


@command.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3_660), help="So many days back.")
@render.json_option
@click.pass_context
def spending(context: click.Context, /, days: int, as_json: bool) -> None:
    """Requests, tokens and dollars of the service by day and key."""
    from gatewheel.ops import keys
    from gatewheel.ops.spending import since

    with render.project(context) as project:
        engine = project.parts.engine
        names = {key.id: key.name for key in keys.every(engine)}
        rows = [SpendingDay(name=names.get(row["key"], "the owner"), **row) for row in since(engine, days=days)]
    if as_json:
        render.emit(Spending(days=rows))
        return
    if not rows:
        click.echo("Nothing was asked through `gatewheel serve` in these days.", err=True)
    for row in rows:
        tokens = f"{row.input_tokens:>9,} tokens in {row.output_tokens:>8,} out"
        render.tell(f"{row.day}  {row.name:20} {row.requests:>6,} requests {tokens}  ${row.dollars:.4f}")
