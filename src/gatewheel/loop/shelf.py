"""The models of a project, each loaded once: tables that say the same share one, whatever names they go by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config, Table, named, references
from gatewheel.loop.recipes import digest, identity, words

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Model


class Shelf:
    """Loaded models by what their tables say. `say` is told what takes long. Any thread may call it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._loading = threading.RLock()
        self._models: dict[str, Model] = {}
        self._engines: dict[str, str] = {}  # which engine an `auto` model was made by

    def get(self, config: Config, name: str) -> Model:
        """`[model.<name>]`. Raises what making it raises: ConfigError, MissingPart, ModelError."""
        table = config.table("model", name)
        key = _key(config, table)
        if found := self._models.get(key):
            return found  # who asks for what is there does not wait for what is being loaded
        with self._loading:  # the first requests of a service come at once, and weights are loaded once
            if key not in self._models:
                others: dict[str, Any] = {"model": partial(self.get, config)} if references(table.settings) else {}
                module = catalog.load("model", table.use)
                self._models[key] = module.create(table.settings, on_progress=self._say, **others)
                if table.use == "auto":
                    self._engines[key] = self._fastest(table)
            return self._models[key]

    def recipe(self, config: Config, table: Table) -> dict[str, Any]:
        """What of a table decides the words of its model, with the digest of its weights.

        An `auto` model enters as the engine that it was made by, or before it is made will most likely be made by.
        """
        made = words(table)
        for key, others in _named(config, table).items():
            made[key] = [self.recipe(config, other) for other in others]
        if table.use == "auto":
            made["engine"] = self._engines.get(_key(config, table)) or self._fastest(table)
        if "weights" in made:
            made["weights_sha256"] = identity(made["weights"])
        if made.get("adapter"):
            made["adapter_sha256"] = identity(made["adapter"])
        return made

    def keep(self, keys: Collection[str]) -> None:
        """Close all models but these; see `keys`."""
        with self._loading:
            gone = [self._models.pop(key) for key in self._models.keys() - set(keys)]
        for model in gone:
            model.close()

    def close(self) -> None:
        """Close all models."""
        self.keep(())
        self._engines.clear()

    def _fastest(self, table: Table) -> str:
        from gatewheel.models import measure

        settings: Any = table.settings
        return measure.choose(settings.weights, threads=settings.threads, on_progress=self._say)[0]


def keys(config: Config, names: Iterable[str]) -> set[str]:
    """Under what these `[model.<name>]`, and those that they name, are held."""
    found: set[str] = set()
    for table in (config.table("model", name) for name in names):
        found.add(_key(config, table))
        for others in _named(config, table).values():
            found |= keys(config, [other.name for other in others])
    return found


def _key(config: Config, table: Table) -> str:
    others = {key: [_key(config, other) for other in tables] for key, tables in _named(config, table).items()}
    return digest({**table.plain(), **others})


def _named(config: Config, table: Table) -> dict[str, list[Table]]:
    """The other models that a table names, by key."""
    return {
        key: [config.table(kind, name) for name in named(table.settings, key)]
        for key, kind in references(table.settings).items()
    }
