"""What the models of variants cost today, by gatewheel.toml: answers are kept, and prices change."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gatewheel.evals.metrics.cost import Prices
from gatewheel.kernel.errors import GatewheelError, UserError
from gatewheel.loop import variants
from gatewheel.loop.recipes import digest
from gatewheel.models.memory import LOCAL

if TYPE_CHECKING:
    from gatewheel.kernel.config import Table
    from gatewheel.loop.compose import Parts

FREE: Prices = (0.0, 0.0)  # what runs here sends no bill; its machine is not counted


class PriceList:
    """From the id of a variant to the prices of its model; None where the file has none for it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[str, Prices | None] = {}

    def __call__(self, variant: str) -> Prices | None:
        if variant not in self._known:
            self._known[variant] = self._of(variant)
        return self._known[variant]

    def _of(self, variant: str) -> Prices | None:
        try:
            recipe = variants.get(self._parts.engine, variant).recipe.get("model", {})
        except UserError:
            return None
        return of(str(recipe.get("use", "")), self._tables.get(digest(recipe)))

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return by_recipe(self._parts)


def of(use: str, table: Table | None) -> Prices | None:
    """The prices of a model that this engine runs; `table` is its [model.*], None where the file has none like it."""
    if use in LOCAL:
        return FREE
    settings: Any = table.settings if table else None
    read, written = getattr(settings, "input_price", None), getattr(settings, "output_price", None)
    return None if read is None or written is None else (read, written)


def told(parts: Parts) -> dict[str, Prices]:
    """The prices that the file has, by the name of the model."""
    tables = [parts.config.table("model", name) for name in sorted(parts.config.names("model"))]
    return {table.name: found for table in tables if (found := of("", table))}


def by_recipe(parts: Parts) -> dict[str, Table]:
    """Every [model.*] by the digest of what decides its words, and of what decides its likelihoods.

    Those whose weights are not here are left out.
    """
    made: dict[str, Table] = {}
    for name in parts.config.names("model"):
        table = parts.config.table("model", name)
        with suppress(GatewheelError):
            made.setdefault(digest(parts.model_recipe(table)), table)
        if table.use != "fallback":  # the likelihoods of its first model are that one's own
            with suppress(GatewheelError):
                made.setdefault(digest(parts.likelihood_shelf.recipe(parts.written, name)), table)
    return made
