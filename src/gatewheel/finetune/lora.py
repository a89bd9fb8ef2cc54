"""LoRA (Hu et al. 2021): the base stays as it is, in bfloat16 or float32; each linear learns a pair of low rank."""

from __future__ import annotations

from gatewheel.finetune.method import Method
from gatewheel.finetune.settings import Settings

__all__ = ["Settings", "create"]


def create(settings: Settings) -> Method:
    """The method with these settings. Loads nothing."""
    return Method("lora", settings, nf4=False)
