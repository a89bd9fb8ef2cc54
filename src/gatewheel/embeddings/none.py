"""The encoder of a project that searches by words only: no vectors, nothing to install.

Passages are measured in words, as `words` finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.embeddings.words import word_starts

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets, Vectors


class Settings(BaseModel):
    """`[encoder.<name>] use = "none"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_tokens: int = Field(256, ge=1, description="The size of a passage that chunkers may count on, in words.")


def create(settings: Settings) -> NoEncoder:
    """An encoder without dimensions."""
    return NoEncoder(settings)


class NoEncoder:
    """Fulfils the port Encoder with vectors of no dimension."""

    id = "none"
    dimensions = 0

    def __init__(self, settings: Settings) -> None:
        self.max_tokens = settings.max_tokens

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), 0)."""
        import numpy as np

        return np.zeros((len(texts), 0), np.float32)

    def starts(self, text: str) -> Offsets:
        """Character offset at which each word starts, ascending, shape (words,)."""
        return word_starts(text)
