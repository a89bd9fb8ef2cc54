"""The fixed chunker: windows of a number of tokens, blind to everything else. The yardstick for the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from gatewheel.kernel.nouns import Chunk, Document, Span
from gatewheel.kernel.ports import Tokens
from gatewheel.rag.chunk.pack import trimmed
from gatewheel.rag.chunk.ruler import Ruler
from gatewheel.rag.chunk.sizes import OVERLAP, TOKENS, Overlap, Size, smaller_than_tokens


class Settings(BaseModel):
    """`[chunker.<name>] use = "fixed"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tokens: Size = TOKENS
    overlap: Overlap = OVERLAP

    @field_validator("overlap")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        return smaller_than_tokens(value, info)


def create(settings: Settings) -> FixedChunker:
    """The chunker of these settings."""
    return FixedChunker(settings)


class FixedChunker:
    """Windows of `tokens` tokens; the last one may be shorter. May cut inside a word, never inside a character cluster.

    Overlap: a window repeats exactly the last `overlap` tokens of the one before.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def split(self, document: Document, *, tokens: Tokens) -> Sequence[Chunk]:
        """Chunks in order that cover every character that is not white space."""
        ruler = Ruler(document.text, tokens)
        spans = trimmed(self._windows(ruler), ruler)
        return [Chunk(start=start, end=end, tokens=ruler.count(start, end)) for start, end in spans]

    def _windows(self, ruler: Ruler) -> Iterator[Span]:
        start, end = 0, 0
        while end < len(ruler.text):
            end = ruler.advance(start, self._settings.tokens)
            yield start, end
            start = max(start + 1, ruler.retreat(end, self._settings.overlap))
