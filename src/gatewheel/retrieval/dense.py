"""Retrieval by meaning alone: nearest vectors. Paraphrases; blind to rare names."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from gatewheel.kernel.nouns import Hit
from gatewheel.kernel.ports import Encoder, Passages


class Settings(BaseModel):
    """`[retriever.<name>] use = "dense"`: nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Dense:
    """Fulfils the port Retriever."""

    passages: Passages
    encoder: Encoder

    def retrieve(self, question: str, *, k: int, where: str = "") -> list[Hit]:
        """The k passages whose vectors have the highest cosine with the question's."""
        found = self.passages.by_vector(self.encoder.encode([question])[0], k=k, where=where)
        fetched = self.passages.fetch([row for row, _ in found])
        return [
            Hit(passage=fetched[row], score=score, ranks={"dense": rank}, similarity=score)
            for rank, (row, score) in enumerate(found, start=1)
            if row in fetched
        ]


def create(_settings: Settings, *, passages: Passages, encoder: Encoder) -> Dense:
    """A dense retriever."""
    return Dense(passages, encoder)
