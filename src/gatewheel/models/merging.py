"""Weights with an adapter merged into them, read like any others: one tensor at a time, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewheel.models.adapters import Adapter, refuse_misfit
from gatewheel.models.dense import Dense, Shape

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix


class Merged:
    """Fulfils Dense: W + scale · B A, whose rows DoRA then stretches to its magnitudes (arXiv:2402.09353, eq. 5)."""

    def __init__(self, dense: Dense, adapter: Adapter) -> None:
        """Raises ModelError when the adapter does not fit the weights."""
        refuse_misfit(adapter, dense.shape)
        self._dense = dense
        self._adapter = adapter

    @property
    def path(self) -> Path:
        return self._dense.path

    @property
    def shape(self) -> Shape:
        return self._dense.shape

    def names(self) -> tuple[str, ...]:
        return self._dense.names()

    def read(self, name: str) -> Matrix:
        """As Dense says."""
        import numpy as np

        weights = self._dense.read(name)
        module = name.removesuffix(".weight")
        if (pair := self._adapter.pairs.get(module)) is None:
            return weights
        a, b = pair
        weights += (b * np.float32(self._adapter.scale)) @ a
        if (magnitude := self._adapter.magnitudes.get(module)) is not None:
            weights *= (magnitude / np.linalg.norm(weights, axis=1))[:, None]
        return weights
