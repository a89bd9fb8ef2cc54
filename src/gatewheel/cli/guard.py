"""`gatewheel guard redact`"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError, did_you_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Redacted:
    """`gatewheel guard redact`: the text with each find replaced by its kind, such as [email]."""

    text: str


@click.group()
def command() -> None:
    """Black out what belongs to people."""


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
