"""Models that the tuning API made: by a name of their own, loaded when they are first asked.

A model of a key that saw every document is for all who may ask; any other is for its key and for those who see them
all, since what it learned is what its key could see.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.kernel.store.learning import tuned_models
from gatewheel.loop.shelf import Shelf

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts

PREFIX = "ft:"
LOADED = 4  # at once besides those that are answering; the one that was asked longest ago goes first


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedModel:
    """An adapter by its name. `model` is the [model.*] that was tuned, `kind` as what it is served: see exporting."""

    name: str
    key: str
    open: bool
    created: float
    run: str
    adapter: str
    model: str
    kind: str

    def is_seen_by(self, caller: Caller) -> bool:
        """Whether this caller may ask it."""
        return self.open or self.is_of(caller)

    def is_of(self, caller: Caller) -> bool:
        """Whether this caller may delete it."""
        return caller.groups is None or self.key == caller.key


def keep(parts: Parts, model: TunedModel) -> None:
    """Make the file that is served, and give it its name. Doing it again changes nothing."""
    from gatewheel.loop import artifacts, exporting

    exporting.gguf_of(parts, artifacts.get(parts.engine, model.adapter), kind=model.kind)
    try:
        with parts.engine.begin() as connection:
            connection.execute(insert(tuned_models).values(**asdict(model)))
    except IntegrityError:
        return  # kept before


def kind_of(parts: Parts, adapter: str, model: str) -> str:
    """As what an adapter of a model is served without loss: beside its base where the engine can, else merged."""
    from gatewheel.loop import artifacts, exporting

    dora = artifacts.get(parts.engine, adapter).meta.get("settings", {}).get("dora")
    beside = parts.config.table("model", model).use in ("auto", "llama.cpp") and not dora
    return exporting.ADAPTER_ALONE if beside else exporting.USUAL


def listed(engine: Engine, caller: Caller) -> list[TunedModel]:
    """Those that a caller may ask, the oldest first."""
    return [one for one in _read(engine) if one.is_seen_by(caller)]


def find(engine: Engine, name: str, caller: Caller) -> TunedModel | None:
    """One that a caller may ask. Raises UserError for one that learned of what was forgotten since."""
    found = next((one for one in _read(engine, tuned_models.c.name == _plain(name)) if one.is_seen_by(caller)), None)
    if found:
        from gatewheel.loop import tainting

        tainting.refuse_artifact(engine, found.adapter)
    return found


def remove(engine: Engine, name: str, caller: Caller) -> bool:
    """Take a model's name away; its adapter stays an artifact of its run. False when there is none of the caller's."""
    if not any(one.is_of(caller) for one in _read(engine, tuned_models.c.name == _plain(name))):
        return False
    with engine.begin() as connection:
        return connection.execute(delete(tuned_models).where(tuned_models.c.name == name)).rowcount > 0


@dataclass(kw_only=True, slots=True)
class _Held:
    """A model with its weights as soon as it is asked; `users` are the requests that it answers at this moment."""

    parts: Parts
    users: int = 0


class TunedModels:
    """The models of a service that tunings made. Any thread may call it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}  # the one that was asked last stands last
        self._leaving: list[_Held] = []

    @contextmanager
    def serving(self, name: str) -> Iterator[Parts]:
        """The parts that have a model of this name, which stay whole until this ends. Raises UserError."""
        held = self._take(name)
        try:
            yield held.parts
        finally:
            with self._lock:
                held.users -= 1
            self._tidy()

    def forget(self, name: str) -> None:
        """Close a model once it answers nobody."""
        with self._lock:
            if held := self._held.pop(name, None):
                self._leaving.append(held)
        self._tidy()

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            every, self._held, self._leaving = [*self._held.values(), *self._leaving], {}, []
        for held in every:
            held.parts.shelf.close()

    def _take(self, name: str) -> _Held:
        with self._lock:
            held = self._held.pop(name, None) or _Held(parts=self._made(name))
            self._held[name] = held
            held.users += 1
            return held

    def _made(self, name: str) -> Parts:
        """Loads no weights."""
        from gatewheel.loop import adding, artifacts

        found = next(iter(_read(self._parts.engine, tuned_models.c.name == _plain(name))), None)
        if found is None:
            raise UserError(f"there is no model '{name[:80]}' any more", cure="GET /v1/models lists them")
        adapter = artifacts.get(self._parts.engine, found.adapter)
        config = adding.with_adapter(self._parts, adapter, model=found.model, kind=found.kind, name=name)
        made = self._parts.recast(config, variants={}, prompts={})
        made.shelf = Shelf(self._parts.say)  # of its own: releases close what they do not need on the common one
        return made

    def _tidy(self) -> None:
        with self._lock:
            idle = [name for name, held in self._held.items() if not held.users]
            for name in idle[: max(0, len(self._held) - LOADED)]:
                self._leaving.append(self._held.pop(name))
            gone = [held for held in self._leaving if not held.users]
            self._leaving = [held for held in self._leaving if held.users]
        for held in gone:
            held.parts.shelf.close()


def _read(engine: Engine, *conditions: Any) -> list[TunedModel]:
    asked = select(tuned_models).where(*conditions).order_by(tuned_models.c.created, tuned_models.c.name)
    with engine.connect() as connection:
        return [TunedModel(**row._mapping) for row in connection.execute(asked)]


def _plain(name: str) -> str:
    # a NUL or half a surrogate pair, which no name has, is taken by no database
    return name if name.isprintable() else ""
