"""`gatewheel improve`"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.cli.exporting import ServedFile, served_file, tell_file
from gatewheel.cli.finetune import changes_of
from gatewheel.cli.gate import CODES
from gatewheel.cli.traces import AGO

if TYPE_CHECKING:
    from gatewheel.loop.improving import Improved


@dataclass(frozen=True, kw_only=True, slots=True)
class ImproveShow:
    """`gatewheel improve`: `outcome` is what the gate said of `variant`, `proposed` the row of the proposal or null.

    `harvested` counts new cases, `examples` those that were learned, `seconds` the time since it was begun or resumed.
    `file` is the one that the variant is served from; null for a turn that an earlier version began.
    """

    app: str
    gate: str
    data: str
    harvested: int
    examples: int
    dataset: str
    adapter: str
    variant: str
    outcome: str
    reasons: list[str]
    reports: list[str]
    proposed: int | None
    seconds: float
    file: ServedFile | None


@click.command()
@click.option("--app", default="main", show_default=True, help="Which [app.*].")
@click.option(
    "--with", "table", default="finetune", show_default=True, help="finetune, or a [finetune.*]: lora, qlora."
)
@click.option("--data", default="", metavar="SUITE", help="For training; default: the gate's suite with -train.")
@click.option("--gate", default="", metavar="NAME", help="Which [gate.*]; default: the application's.")
@click.option("--since", default=None, type=AGO, metavar="AGO", help="Harvest only what was said since then, e.g. 7d.")
@click.option("--where", default="corrected=yes", show_default=True, help="What to harvest, as `data harvest` says it.")
@click.option("--budget", default="30m", show_default=True, metavar="TIME", help="Of this machine, e.g. 45m or 2h.")
@click.option("--kind", default="Q8_0", show_default=True, help="Of GGUF to serve, or lora: beside its base.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A setting of the tuning for this once.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, changes: tuple[str, ...], as_json: bool, **said: str) -> int:
    """Turn the wheel once: harvest feedback, tune on it, export, evaluate, gate, and propose what passed.

    Exit codes are the gate's: 0 promote, 3 reject, 4 inconclusive. Ctrl-C keeps what was done; `gatewheel runs resume`
    goes on with the step that it was at.
    """
    from gatewheel.cli import progress
    from gatewheel.loop import artifacts, improving, running

    table = "lora" if said["table"] == "finetune" else said["table"]
    wanted = improving.Wanted(
        app=said["app"],
        data=said["data"],
        gate=said["gate"],
        table=table,
        since=float(said["since"] or 0.0),
        where=said["where"],
        budget=seconds_of(said["budget"]),
        kind=said["kind"],
        changes=changes_of(changes),
    )
    with render.project(context) as project, progress.bar(quiet=as_json) as show:
        made = improving.of_result(running.improve(project, wanted, on_progress=show))
        file = served_file(artifacts.get(project.parts.engine, made.file)) if made.file else None
    if as_json:
        render.emit(_shape(made, file))
    else:
        _tell(made, file)
    return CODES[made.outcome]


def seconds_of(text: str) -> float:
    """`90s`, `30m` or `2h` in seconds. Raises UserError."""
    import re

    from gatewheel.kernel.errors import UserError

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh])\s*", text)
    if not found or not float(found[1]):
        raise UserError(f"--budget: '{text[:20]}' is no time", cure="write e.g. 30m or 2h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


def _shape(made: Improved, file: ServedFile | None) -> ImproveShow:
    from dataclasses import asdict

    lists = {"reasons": list(made.reasons), "reports": list(made.reports)}
    return ImproveShow(**{**asdict(made), **lists, "file": file})


def _tell(made: Improved, file: ServedFile | None) -> None:
    render.tell(f"{made.harvested} cases harvested, {made.examples} learned: adapter {made.adapter[:12]}")
    if file:
        tell_file(file)
    render.tell(f"[gate.{made.gate}] on variant {made.variant[:12]}: {made.outcome}", bold=True)
    for reason in made.reasons:
        render.tell(f"  {reason}")
    if made.proposed is not None:
        click.echo(f"Release it: gatewheel release promote {made.variant[:12]} --app {made.app}")
