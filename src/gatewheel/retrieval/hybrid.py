"""BM25 and dense retrieval fused.

`rrf` is reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): the sum of 1 / (60 + rank).
`minmax` scales each list's scores to 0..1 and adds them: it keeps how much better the first is than the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Hit
from gatewheel.kernel.ports import Encoder, Passages

RRF_K = 60  # the constant of the paper


class Settings(BaseModel):
    """`[retriever.<name>] use = "hybrid"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    fusion: Literal["rrf", "minmax"] = Field("minmax", description="How the two rankings become one.")
    depth: int = Field(100, ge=1, le=10_000, description="Candidates taken from each ranking.")
    dense_weight: float = Field(0.5, ge=0, le=1, description="Share of the dense ranking; BM25 has the rest.")


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Fulfils the port Retriever."""

    settings: Settings
    passages: Passages
    encoder: Encoder

    def retrieve(self, question: str, *, k: int, where: str = "") -> list[Hit]:
        """The k best passages of both rankings."""
        depth = max(self.settings.depth, k)
        weight = self.settings.dense_weight if self.encoder.dimensions else 0.0
        rankings = {}
        if weight < 1:
            rankings["bm25"] = self.passages.by_terms(question, k=depth, where=where)
        if weight > 0:
            vector = self.encoder.encode([question])[0]
            rankings["dense"] = self.passages.by_vector(vector, k=depth, where=where)
        scores = fuse(rankings, self.settings)
        best = sorted(scores, key=lambda row: (-scores[row], row))[:k]
        ranks = {name: {row: at for at, (row, _) in enumerate(found, 1)} for name, found in rankings.items()}
        cosines = dict(rankings.get("dense", []))
        fetched = self.passages.fetch(best)
        return [
            Hit(
                passage=fetched[row],
                score=scores[row],
                ranks={name: places[row] for name, places in ranks.items() if row in places},
                similarity=cosines.get(row, 0.0),
            )
            for row in best
            if row in fetched
        ]


def fuse(rankings: Mapping[str, list[tuple[int, float]]], settings: Settings) -> dict[int, float]:
    """Row → fused score, of every row in any ranking. One ranking alone keeps its order whatever its weight."""
    weights = {"bm25": 1 - settings.dense_weight, "dense": settings.dense_weight}
    if len(rankings) == 1:
        weights = dict.fromkeys(rankings, 0.5)
    fused: dict[int, float] = {}
    for name, found in rankings.items():
        for rank, (row, score) in enumerate(found, start=1):
            part = 1 / (RRF_K + rank) if settings.fusion == "rrf" else _scaled(score, found)
            fused[row] = fused.get(row, 0.0) + 2 * weights[name] * part
    return fused


def _scaled(score: float, found: list[tuple[int, float]]) -> float:
    low, high = found[-1][1], found[0][1]
    return (score - low) / (high - low) if high > low else 1.0


def create(settings: Settings, *, passages: Passages, encoder: Encoder) -> Hybrid:
    """A hybrid retriever; with the encoder `none` it is BM25 alone."""
    return Hybrid(settings, passages, encoder)
