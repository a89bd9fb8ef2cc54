"""The shapes of `--json`, one per command. `schemas/<name>.json` is made from these, and tests hold both together.

A shape may gain keys in a later version; none changes its meaning or goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatewheel.loop.shapes import Ask, Cited, FoundPassage, Judged, Search, Tokens, asked, found

__all__ = ["Ask", "Cited", "FoundPassage", "Ingest", "Judged", "Search", "Skipped", "Tokens", "asked", "found"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A source that was left out, and why."""

    source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingest:
    """`gatewheel ingest`: counts of documents; `documents` and `passages` are the index's totals."""

    documents: int
    passages: int
    added: int
    updated: int
    removed: int
    unchanged: int
    skipped: list[Skipped]
    seconds: float
