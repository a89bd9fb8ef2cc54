"""`gatewheel keys create|list|revoke`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Key


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRow:
    """A key without its secret; `revoked` and `created` are POSIX time stamps, None means no limit or not yet."""

    id: str
    name: str
    scopes: list[str]
    groups: list[str]
    requests_per_minute: int | None
    dollars_per_day: float | None
    created: float
    revoked: float | None
    dollars_today: float


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyList:
    """`gatewheel keys list`: the newest first, revoked ones among them."""

    keys: list[KeyRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyCreated:
    """`gatewheel keys create`: the only time that the secret is shown."""

    key: KeyRow
    secret: str


@click.group()
def command() -> None:
    """Make, list and revoke API keys."""


@command.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, help="ask, feedback or operate; several times. Default: ask, feedback."
)
@click.option("--group", "groups", multiple=True, help="Documents of this group may be seen too; several times.")
@click.option("--requests-per-minute", type=int, help="Default: no limit.")
@click.option("--dollars-per-day", type=float, help="Questions and runs are refused until midnight UTC once spent.")
@render.json_option
@click.pass_context
def create(
    context: click.Context,
    /,
    name: str,
    scopes: tuple[str, ...],
    groups: tuple[str, ...],
    requests_per_minute: int | None,
    dollars_per_day: float | None,
    as_json: bool,
) -> None:
    """Make a key and print its secret, this once."""
    from gatewheel.ops import keys

    with render.project(context) as project:
        key, secret = keys.create(
            project.parts.engine,
            name=name,
            scopes=scopes or keys.DEFAULT_SCOPES,
            groups=groups,
            requests_per_minute=requests_per_minute,
            dollars_per_day=dollars_per_day,
        )
    if as_json:
        render.emit(KeyCreated(key=_row(key, 0.0), secret=secret))
        return
    click.echo(secret)
    render.tell("Keep it now: it is shown only this once, and only its hash is kept here.", err=True, bold=True)
    render.tell(f"{key.id}  {key.name}: {_may(key)}", err=True)


@command.command("list")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """All keys with what each has spent today, the newest first."""
    from gatewheel.ops import keys, spending

    with render.project(context) as project:
        engine = project.parts.engine
        rows = [_row(key, spending.spent_today(engine, key.id)) for key in keys.every(engine)]
    if as_json:
        render.emit(KeyList(keys=rows))
        return
    if not rows:
        click.echo(
            "There are no keys, so only this machine is served; `gatewheel keys create NAME` makes one.", err=True
        )
        return
    for row in rows:
        state = f"revoked {_day(row.revoked)}" if row.revoked else f"${row.dollars_today:.2f} today"
        render.tell(f"{row.id}  {row.name:20} {state:20} made {_day(row.created)}  {_may(row)}")


@command.command()
@click.argument("named", metavar="ID")
@render.json_option
@click.pass_context
def revoke(context: click.Context, /, named: str, as_json: bool) -> None:
    """End a key, given by its name or the beginning of its id. Running services hear of it within seconds."""
    from gatewheel.ops import keys, spending

    with render.project(context) as project:
        key = keys.revoke(project.parts.engine, named)
        spent = spending.spent_today(project.parts.engine, key.id)
        left = any(one.revoked is None for one in keys.every(project.parts.engine))
    if as_json:
        render.emit(_row(key, spent))
        return
    render.tell(f"revoked {key.id}  {key.name}")
    if not left:
        render.tell("No key is left, so the service answers nobody until one is made.", err=True)


def _row(key: Key, spent: float) -> KeyRow:
    told = asdict(key)
    return KeyRow(**{**told, "scopes": list(key.scopes), "groups": list(key.groups)}, dollars_today=round(spent, 6))


def _may(key: Key | KeyRow) -> str:
    pieces = [", ".join(key.scopes)]
    if key.groups:
        pieces.append(f"groups {', '.join(key.groups)}")
    if key.requests_per_minute is not None:
        pieces.append(f"{key.requests_per_minute} requests a minute")
    if key.dollars_per_day is not None:
        pieces.append(f"${key.dollars_per_day:g} a day")
    return "; ".join(pieces)


def _day(stamp: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(stamp))
