"""`gatewheel config show|check`"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gatewheel.cli import render


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigShow:
    """`gatewheel config show`: every table with every default filled in, and the SHA-256 of it."""

    path: str
    config: dict[str, Any]
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigCheck:
    """`gatewheel config check`: an error leaves with exit code 1 instead."""

    path: str
    ok: bool


@click.group()
def command() -> None:
    """Show or check gatewheel.toml."""


@command.command()
@render.json_option
@click.pass_context
def show(context: click.Context, /, as_json: bool) -> None:
    """Print the configuration with every default filled in."""
    from gatewheel.kernel.config import find, load
    from gatewheel.loop.compose import digest

    config = load(find(Path(context.find_root().obj)))
    plain = config.plain()
    if as_json:
        render.emit(ConfigShow(path=str(config.path), config=plain, sha256=digest(plain)))
        return
    click.echo(f"# {config.path}, every default filled in; SHA-256 {digest(plain)[:12]}")
    click.echo(_toml(plain))


@command.command()
@render.json_option
@click.pass_context
def check(context: click.Context, /, as_json: bool) -> None:
    """Check the file, the prompts that it names and how they are used."""
    from gatewheel.kernel.config import find, load
    from gatewheel.loop import soundness
    from gatewheel.loop.compose import Parts

    config = load(find(Path(context.find_root().obj)))
    soundness.check(Parts(config))
    if as_json:
        render.emit(ConfigCheck(path=str(config.path), ok=True))
        return
    click.echo(f"{config.path} is sound.")


def _toml(plain: dict[str, Any]) -> str:
    lines = []
    for kind, body in plain.items():
        tables = body.items() if all(isinstance(inner, dict) for inner in body.values()) and body else [("", body)]
        for name, table in tables:
            lines.append(f"\n[{kind}.{name}]" if name else f"\n[{kind}]")
            lines += [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
    return "\n".join(lines)


def _value(value: Any) -> str:
    # JSON's texts, numbers, booleans and lists of them are also TOML's
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
