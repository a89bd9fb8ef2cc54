"""From the name of a metric to the metric: a `[metric.<name>]` table of the project, else the catalog's own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from typing import Any, cast

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table, validate
from gatewheel.kernel.errors import ConfigError, did_you_mean
from gatewheel.kernel.ports import Metric


def metric(config: Config, name: str, **parts: Any) -> Metric:
    """The metric of that name. Of `parts` (encoder, checker, …) it gets those that it asks for; the root it always can.

    Raises ConfigError for an unknown name, settings that are missing, and a part that is needed and was not handed in.
    """
    table = _table(config, name)
    at_hand = {"root": config.root, **parts}
    wanted = _asked_for(table)
    return cast("Metric", catalog.load("metric", table.use).create(table.settings, **_some(at_hand, wanted)))


def needs(config: Config, names: Iterable[str]) -> set[str]:
    """The parts that these metrics ask for, so that only they are built. Raises ConfigError for an unknown name."""
    return {part for name in names for part in _asked_for(_table(config, name)) or ()} - {"root"}


def recipe(config: Config, name: str) -> dict[str, Any]:
    """What decides the numbers of a metric besides its parts: the settings, and the SHA-256 of files that they name.

    Two reports of one metric can be compared only if this is the same. Raises ConfigError for an unknown name.
    """
    table = _table(config, name)
    named = getattr(catalog.load("metric", table.use), "files", None)
    paths = named(table.settings, root=config.root) if named else ()
    return {**table.plain(), "files": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]}


def _table(config: Config, name: str) -> Table:
    if ("metric", name) in config.tables:
        return config.table("metric", name)
    known = catalog.names("metric")
    if name not in known:
        cure = did_you_mean(name, {*known, *config.names("metric")})
        raise ConfigError(f"no metric named '{name}'", cure=cure)
    return validate({"metric": {name: {"use": name}}}, config.path).table("metric", name)


def _asked_for(table: Table) -> set[str] | None:
    """Names of the parts that `create` takes; None when it takes whatever there is, as a plugin may."""
    parameters = inspect.signature(catalog.load("metric", table.use).create).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _some(parts: dict[str, Any], wanted: set[str] | None) -> dict[str, Any]:
    return parts if wanted is None else {name: part for name, part in parts.items() if name in wanted}
