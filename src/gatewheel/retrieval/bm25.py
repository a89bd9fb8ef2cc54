"""Retrieval by words alone: BM25. Exact names and numbers; needs no encoder."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.nouns import Hit
from gatewheel.kernel.ports import Encoder, Passages


class Settings(BaseModel):
    """`[retriever.<name>] use = "bm25"`: nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Bm25:
    """Fulfils the port Retriever."""

    passages: Passages

    def retrieve(self, question: str, *, k: int, where: str = "") -> list[Hit]:
        """The k passages with the highest BM25 score."""
        found = self.passages.by_terms(question, k=k, where=where)
        fetched = self.passages.fetch([row for row, _ in found])
        return [
            Hit(passage=fetched[row], score=score, ranks={"bm25": rank})
            for rank, (row, score) in enumerate(found, start=1)
            if row in fetched
        ]


def create(_settings: Settings, *, passages: Passages, encoder: Encoder) -> Bm25:  # noqa: ARG001 (the kind's signature)
    """A BM25 retriever."""
    return Bm25(passages)
