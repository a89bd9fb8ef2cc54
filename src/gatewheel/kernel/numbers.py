"""Numbers as JSON has them: it knows no NaN and no infinity."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any


def finite(value: float) -> float | None:
    """The number; None for what is not one, or not bounded."""
    return float(value) if isfinite(value) else None


def plain(value: Any) -> Any:
    """The same as JSON takes it, with null for what is not finite."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return finite(value) if isinstance(value, float) else value


def numbers(said: Mapping[str, Any]) -> dict[str, Any]:
    """What `plain` made of numbers by name: null is not a number."""
    return {key: nan if value is None else value for key, value in said.items()}
