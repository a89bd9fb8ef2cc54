"""`gatewheel schemas`"""

from __future__ import annotations

import json

import click

from gatewheel.cli.render import json_option
from gatewheel.kernel.errors import UserError, did_you_mean


@click.command()
@click.argument("name", default="")
@json_option
def command(name: str, as_json: bool) -> None:
    """The JSON Schema of a command's --json output, or the names of all."""
    from importlib import resources

    folder = resources.files("gatewheel") / "schemas"
    names = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))
    if not name:
        click.echo(json.dumps({"schemas": names}) if as_json else "\n".join(names))
        return
    if name not in names:
        raise UserError(f"no schema named '{name}'", cure=did_you_mean(name, names))
    click.echo((folder / f"{name}.json").read_text(encoding="utf-8").rstrip())
