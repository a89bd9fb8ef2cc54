"""`gatewheel doctor`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from gatewheel.cli import render

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "wrong": ("✗", "red"), "absent": ("·", "white")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of `gatewheel doctor`: state is ok, warning, wrong or absent (optional, not here)."""

    area: str
    state: str
    what: str
    cure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Doctor:
    """`gatewheel doctor`"""

    ok: bool
    checks: list[Check]


@click.command()
@click.option("--measure", is_flag=True, help="Measure the local engines again.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, measure: bool, as_json: bool) -> int:
    """Check machine, weights, extras, configuration and stores; each line with its cure.

    Leaves with exit code 1 when something is wrong.
    """
    from gatewheel.loop.health import examine

    checks = []
    for finding in examine(
        Path(context.find_root().obj), measure=measure, say=(lambda _: None) if as_json else render.say
    ):
        check = Check(area=finding.area, state=finding.state, what=finding.what, cure=finding.cure)
        checks.append(check)
        if not as_json:
            mark, colour = MARKS[check.state]
            click.echo(f"{click.style(mark, fg=colour)} {check.area:10} {check.what}")
            if check.cure:
                click.echo(f"             → {check.cure}")
    ok = all(check.state != "wrong" for check in checks)
    if as_json:
        render.emit(Doctor(ok=ok, checks=checks))
    return 0 if ok else 1
