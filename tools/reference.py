"""Write the generated reference: `docs/schemas/*.json` and `docs/reference.md`, from the code.

A test fails when they are behind; `make reference` brings them up.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import click

from gatewheel.cli.main import cli
from gatewheel.cli.schemas import SHAPES, schema
from gatewheel.kernel import catalog, config

DOCS = Path(__file__).parents[1] / "docs"


def files() -> dict[Path, str]:
    """Path → text of every generated file."""
    made = {DOCS / "schemas" / f"{name}.json": json.dumps(schema(name), indent=2) + "\n" for name in SHAPES}
    made[DOCS / "reference.md"] = "\n".join(_reference()) + "\n"
    return made


def _reference() -> Iterator[str]:
    yield "# Reference"
    yield "\nMade from the code by `make reference`."
    yield "Every command takes `--json`; the schemas are in `docs/schemas/`.\n"
    yield "## Commands\n"
    context = click.Context(cli, info_name="gatewheel")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield from _command(command, f"gatewheel {name}")
    yield "\nExit codes: 0 fine, 1 a mistake of the user's (one line, with the cure),"
    yield "2 a defect of ours, 130 stopped by the user.\n"
    yield "## gatewheel.toml\n"
    for name in config.SINGLE:
        yield from _table(f"[{name}]", config.MODELS[name].model_json_schema())
    for kind, parts in catalog.CATALOG.items():
        for name in parts:
            settings = catalog.load(kind, name).Settings
            yield from _table(f'[{kind}.…] use = "{name}"', settings.model_json_schema())


def _command(command: click.Command, words: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _command(inner, f"{words} {inner.name}")
        return
    context = click.Context(command, info_name=words)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield f"\n### `{f'{words} {usage}'.strip()}`"
    yield f"\n{inspect.cleandoc(command.help or '')}\n"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield f"- `{', '.join(parameter.opts)}`: {parameter.help}"


def _table(title: str, schema: dict[str, object]) -> Iterator[str]:
    yield f"\n### `{title}`\n"
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        yield "Nothing to set."
        return
    yield "| key | default | meaning |\n|---|---|---|"
    for key, field in properties.items():
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else "required"
        choices = f" One of: {', '.join(map(str, field['enum']))}." if "enum" in field else ""
        yield f"| `{key}` | `{default}` | {field.get('description', '')}{choices} |"


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(files())} files")
