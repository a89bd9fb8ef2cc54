"""`gatewheel release propose|promote|rollback|list|verify`"""

from __future__ import annotations

import getpass
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.ops.releases import Release

BROKEN = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseRow:
    """A row of the history. `action` is gate, propose, promote or rollback; `variant` is empty where the file answers.

    `reason` has what was said: the decision of a gate, a text, the reason of an override. `hash` seals the row together
    with `before`, the hash of the row before it.
    """

    number: int
    app: str
    created: float
    action: str
    variant: str
    reason: dict[str, Any]
    author: str
    before: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseList:
    """`gatewheel release list`: the newest first; `current` has the released variant of each application.

    `tainted` says of an application whose release learned of what was forgotten since, why.
    """

    current: dict[str, str]
    tainted: dict[str, list[str]]
    releases: list[ReleaseRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseVerified:
    """`gatewheel release verify`: `head` is the hash of the last row; `faults` say what is not as it was."""

    rows: int
    head: str
    faults: list[str]


app_option = click.option("--app", default="main", show_default=True, help="Which [app.*].")


@click.group()
def command() -> None:
    """Release variants that passed their gate, and go back."""


@command.command()
@click.argument("variant")
@app_option
@click.option("--reason", default="", help="Why.")
@render.json_option
@click.pass_context
def propose(context: click.Context, /, variant: str, app: str, reason: str, as_json: bool) -> None:
    """Ask for VARIANT to be released: an [app.*] as the file has it, or the beginning of a variant's id."""
    from gatewheel.loop import releasing

    with render.project(context) as project:
        project.config.table("app", app)
        row = releasing.propose(project.parts, app, variant, text=reason, author=author())
    _emit(row, as_json, f"proposed {row.variant[:12]} for [app.{app}]")


@command.command()
@click.argument("variant")
@app_option
@click.option("--override", default="", metavar="REASON", help="Go past the gate; the reason stays in the history.")
@render.json_option
@click.pass_context
def promote(context: click.Context, /, variant: str, app: str, override: str, as_json: bool) -> None:
    """Release VARIANT, which every gate of the application has to have let pass. Services follow within seconds."""
    from gatewheel.loop import releasing

    with render.project(context) as project:
        project.config.table("app", app)
        row = releasing.promote(project.parts, app, variant, override=override, author=author())
    _emit(row, as_json, f"released {row.variant[:12]} for [app.{app}]")


@command.command()
@app_option
@click.option("--to", default="", metavar="VARIANT", help="Further back at once: an earlier release, or: file.")
@click.option("--reason", default="", help="Why.")
@render.json_option
@click.pass_context
def rollback(context: click.Context, /, app: str, to: str, reason: str, as_json: bool) -> None:
    """Release what was released before; from the first release back to what the file says.

    What learned of what was forgotten since is refused, and the nearest release that did not is named.
    """
    from gatewheel.loop import rolling_back

    with render.project(context) as project:
        project.config.table("app", app)
        row = rolling_back.rollback(project.parts, app, to=to, text=reason, author=author())
    _emit(row, as_json, f"back to {row.variant[:12] or 'what the file says'} for [app.{app}]")


@command.command("list")
@click.option("--app", default="", help="Only of this [app.*].")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, app: str, as_json: bool) -> None:
    """The history, the newest first: decisions of gates, proposals, releases, ways back."""
    from gatewheel.loop import tainting
    from gatewheel.ops import releases

    with render.project(context) as project:
        if app:
            project.config.table("app", app)
        rows = releases.history(project.parts.engine, app)[::-1]
        current = releases.serving(project.parts.engine)
        tainted = tainting.served(project.parts.engine)
    if as_json:
        told = {one.app: list(one.reasons) for one in tainted}
        render.emit(ReleaseList(current=current, tainted=told, releases=[_row(row) for row in rows]))
        return
    if not rows:
        click.echo("Nothing was released yet; `gatewheel gate` judges a candidate.", err=True)
    changes = {(row.app, row.variant): row.number for row in reversed(rows) if row.action in releases.SERVED}
    for row in rows:
        served = current.get(row.app) == row.variant and changes.get((row.app, row.variant)) == row.number
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created))
        what = f"{row.number:4}  {day}  {row.app:10} {row.action:9} {row.variant[:12] or 'the file':12}"
        render.tell(f"{'*' if served else ' '}{what}  {_said(row)}{f'  ({row.author})' if row.author else ''}")
    for one in tainted:
        why = f"which learned of what was forgotten: {tainting.told(one.reasons)}"
        render.tell(f"! [app.{one.app}] answers by {one.variant[:12]}, {why}", bold=True, err=True)


@command.command()
@click.option("--head", default="", metavar="HASH", help="A hash that was noted down; it has to be in the chain.")
@render.json_option
@click.pass_context
def verify(context: click.Context, /, head: str, as_json: bool) -> int:
    """Whether the history is as it was written; exit code 1 when a row was changed, added or is missing."""
    from gatewheel.ops import releases

    with render.project(context) as project:
        found = releases.verify(project.parts.engine, head=head.strip().lower())
    if as_json:
        render.emit(ReleaseVerified(rows=found.rows, head=found.head, faults=list(found.faults)))
    for fault in () if as_json else found.faults:
        render.tell(fault, bold=True)
    if not as_json and not found.faults:
        click.echo(f"{found.rows} rows, all as they were written; the head is {found.head}")
    return BROKEN if found.faults else 0


def _emit(row: Release, as_json: bool, text: str) -> None:
    if as_json:
        render.emit(_row(row))
    else:
        render.tell(f"{text} (row {row.number}, {row.hash[:12]})")


def _row(row: Release) -> ReleaseRow:
    return ReleaseRow(
        number=row.number,
        app=row.app,
        created=row.created,
        action=row.action,
        variant=row.variant,
        reason=dict(row.reason),
        author=row.author,
        before=row.before,
        hash=row.hash,
    )


def _said(row: Release) -> str:
    reason = row.reason
    if row.action == "gate":
        return f"{reason['gate']}: {reason['outcome']}"
    if "override" in reason:
        return f"past the gate: {reason['override']}"
    if "decisions" in reason:
        return f"by {', '.join(f'row {number}' for number in reason['decisions'])}"
    return str(reason.get("text", ""))


def author() -> str:
    """Who sits at this machine, as far as it knows."""
    try:
        return getpass.getuser()[:32]
    except (KeyError, OSError):  # a container without a name for its user
        return ""
