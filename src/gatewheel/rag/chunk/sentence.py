"""The sentence chunker: whole sentences, packed, whatever the format."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from gatewheel.kernel.nouns import Chunk, Document
from gatewheel.kernel.ports import Tokens
from gatewheel.rag.chunk.cuts import LINES
from gatewheel.rag.chunk.pack import fit, pack, trimmed
from gatewheel.rag.chunk.ruler import Ruler
from gatewheel.rag.chunk.sizes import OVERLAP, TOKENS, Overlap, Size, smaller_than_tokens
from gatewheel.rag.sentences import sentence_spans


class Settings(BaseModel):
    """`[chunker.<name>] use = "sentence"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tokens: Size = TOKENS
    overlap: Overlap = OVERLAP

    @field_validator("overlap")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        return smaller_than_tokens(value, info)


def create(settings: Settings) -> SentenceChunker:
    """The chunker of these settings."""
    return SentenceChunker(settings)


class SentenceChunker:
    """Passages of whole sentences; one that is too long is cut between lines, then between words.

    Overlap: as many whole sentences from the end of the passage before as hold at most `overlap` tokens.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def split(self, document: Document, *, tokens: Tokens) -> Sequence[Chunk]:
        """Chunks in order that cover every character that is not white space."""
        ruler = Ruler(document.text, tokens)
        limit, overlap = self._settings.tokens, self._settings.overlap
        pieces = (
            piece for span in sentence_spans(document.text) for piece in fit(span, (LINES,), ruler=ruler, limit=limit)
        )
        spans = pack(trimmed(pieces, ruler), ruler=ruler, limit=limit, overlap=overlap)
        return [Chunk(start=start, end=end, tokens=ruler.count(start, end)) for start, end in spans]
