"""What candidates stand on: the model of each with its size, memory, prices and licence, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import GatewheelError
from gatewheel.loop import likelihoods, prices, targets
from gatewheel.loop.candidates import Terms
from gatewheel.loop.recipes import digest
from gatewheel.models import catalogue, licences, memory
from gatewheel.models.memory import LOCAL

if TYPE_CHECKING:
    from gatewheel.data.suites import Suite
    from gatewheel.evals.metrics.cost import Prices
    from gatewheel.kernel.config import Table
    from gatewheel.loop.compose import Parts

ELSEWHERE = "it runs elsewhere"


@dataclass(frozen=True, kw_only=True, slots=True)
class Footing:
    """A model. `name` is its [model.*], "" where the file has none like it; `prices` None: as noted with the answers.

    `missing` has the reason for each figure that is None, or what to do about it.
    """

    name: str
    title: str
    engine: str
    context_length: int | None
    size: int | None
    memory: int | None
    prices: Prices | None
    terms: Terms
    missing: Mapping[str, str] = field(default_factory=dict)


def today(parts: Parts, target: str, suite: Suite | None) -> str:
    """The variant that a target such as "app main" is today, asked by a suite; empty where there is none."""
    kind, _, name = target.partition(" ")
    if kind not in ("app", "model") or name not in parts.config.names(kind):
        return ""
    try:
        if kind == "app":
            return parts.variant(name).id
        if suite is None:
            return ""
        of_model = likelihoods.variant_of if suite.answer == "likelihood" else targets.variant_of_model
        return of_model(parts, name, suite).id
    except GatewheelError:
        return ""


class Models:
    """The models of a project by their recipes. `measure` loads what is not measured yet, in processes of its own."""

    def __init__(self, parts: Parts, *, suite: str, measure: bool) -> None:
        self._parts = parts
        self._suite = suite
        self._measure = measure
        self._tables = prices.by_recipe(parts)
        self._known: dict[str, Footing] = {}

    def recipe(self, table: Table) -> dict[str, Any] | None:
        """What decides the words of a model; None where its weights are not here."""
        try:
            return self._parts.model_recipe(table)
        except GatewheelError:
            return None

    def of(self, recipe: Mapping[str, Any]) -> Footing:
        """The model of this recipe, as a variant has it."""
        key = digest(recipe)
        if key not in self._known:
            self._known[key] = self._footing(recipe, self._tables.get(key))
        return self._known[key]

    def _footing(self, recipe: Mapping[str, Any], table: Table | None) -> Footing:
        name = table.name if table else "-"
        told = table.plain() if table else dict(recipe)
        entry, use = catalogue.described(name, told), str(recipe.get("use", ""))
        missing: dict[str, str] = {}
        size = entry.size if use in LOCAL else None
        folder = Path(str(recipe.get("weights", ""))).expanduser()
        if use == "hf" and folder.is_dir():
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if size is None:
            missing["size"] = "its weights are not here" if use in LOCAL else ELSEWHERE
        return Footing(
            name=table.name if table else "",
            title=entry.title,
            engine=use,
            context_length=entry.context_length,
            size=size,
            memory=self._memory(use, recipe, table, missing),
            prices=_prices(use, table, missing),
            terms=_terms(entry, str(told.get("weights", told.get("model", "")))),
            missing=missing,
        )

    def _memory(self, use: str, recipe: Mapping[str, Any], table: Table | None, missing: dict[str, str]) -> int | None:
        if use not in LOCAL:
            missing["memory"] = ELSEWHERE
            return None
        if table is None or "scores" in recipe:
            gone = "gatewheel.toml has no such model any more"
            missing["memory"] = gone if table is None else "it is measured of models that write, and this one read"
            return None
        settings, weights = table.plain(), str(recipe.get("weights_sha256", ""))
        settings.pop("use", None)
        found = memory.remembered(use, settings, weights)
        if found is None and self._measure:
            self._parts.say(f"measuring the memory of [model.{table.name}] in a process of its own")
            found = memory.measure(use, settings, weights)
        if found is None or found.error:
            cure = f"gatewheel evals models {self._suite} --measure"
            missing["memory"] = f"could not be measured: {found.error}" if found else f"not measured: {cure}"
            return None
        return found.answering


def _prices(use: str, table: Table | None, missing: dict[str, str]) -> Prices | None:
    found = prices.of(use, table)
    if found is None:
        cure = f"write input_price and output_price into [model.{table.name}]" if table else "no such model in the file"
        missing["price"] = f"not known: {cure}"
    return found


def _terms(entry: catalogue.Entry, weights: str) -> Terms:
    licence = licences.find(entry.licence or ("LicenseRef-Service-Terms" if entry.use == "service" else ""))
    catalogued = catalogue.knows(weights)
    stated = "Gatewheel's catalogue, as its publisher states it" if catalogued else "the header of its file"
    return Terms(
        licence=licence.id,
        title=licence.title,
        commercial=licence.commercial,
        redistribution=licence.redistribution,
        derived=licence.derived,
        told=licence.told,
        source=licence.source,
        stated=stated if entry.licence else "nobody" if entry.use != "service" else "its endpoint",
    )
