"""From the name of a metric to the metric: a `[metric.<name>]` table of the project, else the catalog's own."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table, named, references, validate
from gatewheel.kernel.errors import ConfigError, did_you_mean
from gatewheel.kernel.ports import Metric

USUAL_MODEL = "chat"


def metric(config: Config, name: str, **parts: Any) -> Metric:
    """The metric of that name. Of `parts` (encoder, checker, …) it gets those that it asks for; the root it always can.

    Raises ConfigError for an unknown name, settings that are missing, and a part that is needed and was not handed in.
    """
    table = _table(config, name)
    at_hand = {"root": config.root, **parts}
    wanted = _asked_for(table, config.root)
    return cast("Metric", catalog.load("metric", table.use).create(table.settings, **_some(at_hand, wanted)))


def needs(config: Config, names: Iterable[str]) -> set[str]:
    """The parts that these metrics ask for, so that only they are built. Raises ConfigError for an unknown name."""
    return {part for name in names for part in _asked_for(_table(config, name), config.root) or ()} - {"root"}


def models(config: Config, names: Iterable[str]) -> set[str]:
    """The models of the project that these metrics judge with. Raises ConfigError for an unknown name."""
    tables = [_table(config, name) for name in names]
    keys = [
        (table.settings, key) for table in tables for key, kind in references(table.settings).items() if kind == "model"
    ]
    return {model for settings, key in keys for model in named(settings, key)}


def likelihood_models(config: Config, names: Iterable[str]) -> set[str]:
    """The models whose likelihoods these metrics ask for. Raises ConfigError for an unknown name."""
    return {model for name in names if (model := likelihood_model(config, name))}


def likelihood_model(config: Config, name: str) -> str:
    """The model whose likelihoods a metric asks for: its setting `model`, else `chat`; empty when it asks for none."""
    table = _table(config, name)
    if "likelihoods" not in (_asked_for(table, config.root) or ()):
        return ""
    return getattr(table.settings, "model", "") or USUAL_MODEL


def recipe(config: Config, name: str) -> dict[str, Any]:
    """What decides the numbers of a metric besides its parts: the settings, and the SHA-256 of files that they name.

    Two reports of one metric can be compared only if this is the same. Raises ConfigError for an unknown name.
    """
    paths = files(config, name)
    return {**_table(config, name).plain(), "files": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]}


def files(config: Config, name: str) -> tuple[Path, ...]:
    """The files that decide the numbers of a metric as its settings do. Raises ConfigError for an unknown name."""
    table = _table(config, name)
    named = getattr(catalog.load("metric", table.use), "files", None)
    return tuple(named(table.settings, root=config.root)) if named else ()


def made_with(config: Config, name: str) -> dict[str, str]:
    """The digests of the parts that a metric was calibrated with, by part. Raises ConfigError for an unknown name."""
    table = _table(config, name)
    told = getattr(catalog.load("metric", table.use), "made_with", None)
    return dict(told(table.settings, root=config.root)) if told else {}


def _table(config: Config, name: str) -> Table:
    if ("metric", name) in config.tables:
        return config.table("metric", name)
    known = catalog.names("metric")
    if name not in known:
        cure = did_you_mean(name, {*known, *config.names("metric")})
        raise ConfigError(f"no metric named '{name}'", cure=cure)
    return validate({"metric": {name: {"use": name}}}, config.path).table("metric", name)


def _asked_for(table: Table, root: Path) -> set[str] | None:
    """Names of the parts that `create` takes; None when it takes whatever there is, as a plugin may.

    Of a module with a function `wants` those are taken that it names, since they may depend on the settings.
    """
    module = catalog.load("metric", table.use)
    parameters = inspect.signature(module.create).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    taken = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    wants = getattr(module, "wants", None)
    return taken & {"root", *wants(table.settings, root=root)} if wants else taken


def _some(parts: dict[str, Any], wanted: set[str] | None) -> dict[str, Any]:
    return parts if wanted is None else {name: part for name, part in parts.items() if name in wanted}
