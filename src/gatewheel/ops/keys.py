"""API keys: made once, kept as hashes, with scopes, groups and limits."""

from __future__ import annotations

from sqlalchemy import Engine

from gatewheel.kernel.nouns import Usage


def spend(engine: Engine, key: str, usage: Usage) -> None:
    """Add what one answer took to what this key has spent today."""
    del engine, key, usage
