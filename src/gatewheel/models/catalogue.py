"""What can be used as a model, with its licence, size, price and the speed measured here. Loads no engine."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import ConfigError, MissingPart, ModelError, did_you_mean
from gatewheel.models.gguf import Header, read_header
from gatewheel.models.measure import Figures, remembered
from gatewheel.models.weights import DEFAULT, find

_LOCAL = ("auto", "openvino", "llama.cpp", "hf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One model. Context length in tokens, size in bytes, prices in US dollars per million tokens; None is unknown.

    `use` is what the licence allows: any, terms (to be read) or service. `runs` are names of the catalog. `figures`
    are this machine's, by engine, empty until they are measured. `source` is the weights or the base URL.
    """

    name: str
    title: str
    publisher: str = ""
    licence: str = ""
    use: str = "terms"
    parameters: int | None = None
    context_length: int | None = None
    quantisation: str = ""
    size: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    runs: tuple[str, ...] = ()
    install: str = ""
    source: str = ""
    here: bool = False
    figures: Mapping[str, Figures] = field(default_factory=dict)


def list_models(own: Mapping[str, Mapping[str, Any]] | None = None) -> list[Entry]:
    """The project's own `[model.x]` tables first, then the models that Gatewheel knows; by name.

    `own` is {x: the table}. A table whose weights are not here is listed all the same, with `here` false.
    """
    mine = [_from_table(name, table) for name, table in sorted((own or {}).items())]
    taken = {entry.name for entry in mine}
    return mine + [_with_weights(entry, entry.name) for name, entry in sorted(_known().items()) if name not in taken]


def show(name: str, own: Mapping[str, Mapping[str, Any]] | None = None) -> Entry:
    """One model by name, with the figures measured on this machine.

    Raises ConfigError when there is none of that name.
    """
    entries = {entry.name: entry for entry in list_models(own)}
    if name not in entries:
        raise ConfigError(f"no model named '{name}'", cure=did_you_mean(name, entries))
    return entries[name]


def described(name: str, table: Mapping[str, Any]) -> Entry:
    """The entry of one table under this name, without a look at any other."""
    return _from_table(name, table)


def knows(weights: str) -> bool:
    """Whether Gatewheel's own list has weights, or a model of a service, of this name."""
    return weights in _known()


@cache
def _known() -> dict[str, Entry]:
    held = tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return {name: Entry(name=name, **(entry | {"runs": tuple(entry["runs"])})) for name, entry in held.items()}


def _from_table(name: str, table: Mapping[str, Any]) -> Entry:
    use = str(table.get("use", "auto"))
    if use in _LOCAL:
        weights = str(table.get("weights", DEFAULT))
        like = _known().get(weights, Entry(name=name, title=weights, runs=(use,)))
        entry = _with_weights(replace(like, name=name), weights)
        limit, trained = table.get("context_length"), entry.context_length
        return replace(entry, context_length=min(filter(None, (limit, trained)), default=None))
    if use == "fallback":
        return Entry(name=name, title=", else ".join(table.get("models", ())), runs=(use,), here=True)
    model = str(table.get("model", name))
    like = _known().get(model, Entry(name=name, title=model, runs=(use,), use="service"))
    given = {key: table[key] for key in ("context_length", "input_price", "output_price") if key in table}
    return replace(like, name=name, source=str(table.get("base_url", "")), here=True, **given)


@lru_cache(maxsize=32)
def _header(path: Path, size: int, changed: int) -> Header:
    """A header takes 0.1 s to read; size and time of change tell whether it may be another by now."""
    del size, changed
    return read_header(path)


def _with_weights(entry: Entry, weights: str) -> Entry:
    """The entry completed from the header of the file, when it is on this machine."""
    try:
        path = find(weights)
        stat = path.stat()
        header = _header(path, stat.st_size, stat.st_mtime_ns)
    except (MissingPart, ModelError):
        return replace(entry, source=weights)
    return replace(
        entry,
        licence=entry.licence or header.licence,
        parameters=entry.parameters or header.parameters,
        context_length=header.context_length or entry.context_length,
        quantisation=header.quantisation,
        size=path.stat().st_size,
        source=str(path),
        here=True,
        figures=remembered(weights),
    )
