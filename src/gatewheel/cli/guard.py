"""`gatewheel guard redact|run|sandbox`"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TextIO

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError, did_you_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Redacted:
    """`gatewheel guard redact`: the text with each find replaced by its kind, such as [email]."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardRun:
    """`gatewheel guard run`: status is passed, failed, timed out, out of memory or killed; `memory` is in bytes."""

    status: str
    reason: str
    stdout: str
    stderr: str
    seconds: float
    processor: float
    memory: int
    walls: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WallRow:
    """A wall of the sandbox: whether it stands here, what it is, and what would raise it."""

    name: str
    stands: bool
    what: str
    cure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardSandbox:
    """`gatewheel guard sandbox`"""

    walls: list[WallRow]


@click.group()
def command() -> None:
    """Black out what belongs to people; run code that nobody has read."""


@command.command()
@click.argument("text", required=False)
@click.option(
    "--kind", "kinds", multiple=True, help="email, phone, card, iban, ip or secret; several times. Default: all."
)
@render.json_option
def redact(text: str | None, kinds: tuple[str, ...], as_json: bool) -> None:
    """TEXT, or what comes on standard input, as `[trace] redact` would write it."""
    from gatewheel.guard import redact as guard

    for kind in kinds:
        if kind not in guard.KINDS:
            raise UserError(f"nothing is redacted by the name '{kind}'", cure=did_you_mean(kind, guard.KINDS))
    given = sys.stdin.buffer.read().decode("utf-8", "replace") if text is None else text
    made = guard.redact(given, kinds or tuple(guard.KINDS))
    if as_json:
        render.emit(Redacted(text=made))
    else:
        render.tell(made, nl=text is not None)


@command.command()
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"))
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0, min_open=True), help="At most.")
@click.option("--memory", default=512, show_default=True, type=click.IntRange(64), help="Megabytes at most.")
@render.json_option
def run(file: TextIO, seconds: float, memory: int, as_json: bool) -> int:
    """Run a Python program in the sandbox; - is standard input. Leaves with exit code 1 unless it passed."""
    from gatewheel.guard import sandbox

    found = sandbox.run(file.read(), limits=sandbox.Limits(seconds=seconds, memory=memory << 20))
    if as_json:
        render.emit(GuardRun(**asdict(found)))
    else:
        render.tell(found.stdout, nl=False)
        render.tell(found.stderr, nl=False, err=True)
        render.tell(f"{found.status}{': ' * bool(found.reason)}{found.reason}, {found.seconds:.2f} s", err=True)
    return 0 if found.passed else 1


@command.command("sandbox")
@render.json_option
def sandbox_(as_json: bool) -> None:
    """Which walls the sandbox has on this machine."""
    from gatewheel.guard import sandbox

    found = [WallRow(**asdict(wall)) for wall in sandbox.walls()]
    if as_json:
        render.emit(GuardSandbox(walls=found))
        return
    for wall in found:
        click.echo(f"{click.style('✓', fg='green') if wall.stands else '·'} {wall.name:10} {wall.what}")
        if wall.cure:
            click.echo(f"             → {wall.cure}")
