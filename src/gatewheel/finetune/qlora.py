"""QLoRA (Dettmers et al. 2023): LoRA on a base of 4-bit NormalFloat, doubly quantised: smaller, a little slower."""

from __future__ import annotations

from gatewheel.finetune.method import Method
from gatewheel.finetune.settings import Settings

__all__ = ["Settings", "create"]


def create(settings: Settings) -> Method:
    """The method with these settings. Loads nothing."""
    return Method("qlora", settings, nf4=True)
