"""`gatewheel models list|show`; adapters in exporting.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import exporting, render
from gatewheel.models.catalogue import Entry

if TYPE_CHECKING:
    from gatewheel.kernel.config import Config


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelList:
    """`gatewheel models list` and `show`: prices in US dollars per million tokens, size in bytes, null when unknown."""

    models: list[Entry]


@click.group()
def command() -> None:
    """List models with licence, size, price and measured speed; export what was tuned."""


for one in exporting.COMMANDS:
    command.add_command(one)


@command.command("list")
@render.json_option
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """Every model that the project or Gatewheel knows."""
    from gatewheel.models import catalogue

    entries = catalogue.list_models(_own(context))
    if as_json:
        render.emit(ModelList(models=entries))
        return
    head = ("name", "here", "licence", "context", "size", "$/M in, out", "tokens/s read, written")
    rows = [
        (
            entry.name,
            "yes" if entry.here else "no",
            entry.licence.removeprefix("LicenseRef-") or "?",
            str(entry.context_length or "?"),
            _size(entry.size),
            _price(entry),
            _speed(entry),
        )
        for entry in entries
    ]
    render.table(head, rows)


@command.command()
@click.argument("name")
@click.option("--measure", is_flag=True, help="Measure the local engines on this machine, again.")
@render.json_option
@click.pass_context
def show(context: click.Context, /, name: str, measure: bool, as_json: bool) -> None:
    """One model with everything that is known of it."""
    from gatewheel.models import catalogue
    from gatewheel.models.measure import choose

    entry = catalogue.show(name, _own(context))
    if measure:
        own = _own(context).get(name, {})
        choose(own.get("weights", name), on_progress=render.say, refresh=True)
        entry = catalogue.show(name, _own(context))
    if as_json:
        render.emit(ModelList(models=[entry]))
        return
    for key, value in asdict(entry).items():
        if value not in (None, "", {}, ()):
            render.tell(f"{key:16} {value}")


def _own(context: click.Context) -> dict[str, Any]:
    config = project_config(context)
    return {name: config.table("model", name).plain() for name in config.names("model")} if config else {}


def project_config(context: click.Context) -> Config | None:
    """The project's configuration, or None outside of a project."""
    from pathlib import Path

    from gatewheel.kernel.config import CONFIG_FILE, find, load

    start = Path(context.find_root().obj).resolve()
    if not any((folder / CONFIG_FILE).is_file() for folder in (start, *start.parents)):
        return None
    return load(find(start))


def _size(size: int | None) -> str:
    return f"{size / 1e6:.0f} MB" if size else "?"


def _price(entry: Any) -> str:
    if entry.input_price is None or entry.output_price is None:
        return "free" if entry.here and entry.size else "?"
    return f"{entry.input_price:g}, {entry.output_price:g}"


def _speed(entry: Any) -> str:
    measured = [f for f in entry.figures.values() if not f.error]
    return "; ".join(f"{f.engine} {f.prefill:.0f}, {f.decode:.0f}" for f in measured) or "not measured"
