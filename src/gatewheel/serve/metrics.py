"""Figures of the service for Prometheus, and whether it lives and is ready."""

from __future__ import annotations

from fastapi import APIRouter

from gatewheel.kernel.nouns import Usage

router = APIRouter()


class Metrics:
    """What is counted."""

    def answered(self, model: str, usage: Usage, *, abstained: bool = False) -> None:
        """One answer of a model or an application."""
