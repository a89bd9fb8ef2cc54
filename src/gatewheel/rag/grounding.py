"""Whether evidence supports a sentence, and whether hits answer a question: two small logistic models over words and
one encoder. Reads no mind: a claim that follows from the evidence only by reasoning counts as unsupported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Hit, Passage
from gatewheel.kernel.ports import Encoder, Support
from gatewheel.rag.answerable import probability
from gatewheel.rag.evidence import Evidence, Window, prepare, weights
from gatewheel.rag.wording import Wording, covered, longest_run, read

COEFFICIENTS: Mapping[str, float] = MappingProxyType({"": 0.0})
WITHOUT_ENCODER: Mapping[str, float] = MappingProxyType({"": 0.0})
KEPT_PASSAGES = 128  # prepared passages stay, because each sentence of an answer asks for them again
FINALISTS = 4  # windows that are compared by meaning after all were compared by words


class Settings(BaseModel):
    """`[checker.<name>] use = "grounding"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    support: float = Field(0.5, ge=0, le=1, description="A sentence with less support is dropped or flagged.")
    answerability: float = Field(0.5, ge=0, le=1, description="A question with less is refused before writing.")
    passages: int = Field(5, ge=1, le=50, description="Hits that the answerability of a question is read from.")


def create(settings: Settings, *, encoder: Encoder) -> Grounding:
    """The checker; with the encoder `none` it goes by words alone."""
    return Grounding(settings, encoder)


class Grounding:
    """Fulfils the port Checker. Safe to call from several threads."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        self.support_threshold = settings.support
        self.threshold = settings.answerability
        self._passages = settings.passages
        self._encoder = encoder
        self._coefficients = COEFFICIENTS if encoder.dimensions else WITHOUT_ENCODER
        self._prepare = lru_cache(maxsize=KEPT_PASSAGES)(lambda passage: prepare(passage, encoder))

    def support(self, claims: Sequence[str], passages: Sequence[Passage]) -> list[Support]:
        """For each claim its score and the sentence, or two neighbours, of a passage that bear it out best.

        The span is into the document. Without passages the score is 0 and the span empty.
        """
        nothing = Support(score=0.0, passage=0, start=0, end=0)
        evidence = [self._prepare(passage) for passage in passages]
        if not claims or not any(piece.windows for piece in evidence):
            return [nothing] * len(claims)
        weight = weights(evidence)
        vectors = self._encoder.encode(claims)
        return [
            self._best(read(claim), vector, evidence, weight, passages)
            for claim, vector in zip(claims, vectors, strict=True)
        ]

    def answerable(self, question: str, hits: Sequence[Hit]) -> float:
        """Probability that the best hits answer the question; 0 without hits."""
        hits = hits[: self._passages]
        evidence = [self._prepare(hit.passage) for hit in hits]
        if not any(piece.windows for piece in evidence):
            return 0.0
        vector = self._encoder.encode([question])[0]
        return probability(question, vector, evidence, [hit.similarity for hit in hits])

    def _best(self, claim, vector, evidence, weight, passages) -> Support:
        rough = sorted(
            (
                (words(claim, window, piece, weight), index, place)
                for index, piece in enumerate(evidence)
                for place, window in enumerate(piece.windows)
            ),
            key=lambda found: -found[0]["rough"],
        )[:FINALISTS]
        ...


def features(
    claim: Wording, window: Window, piece: Evidence, weight: Mapping[str, float], cosine: float
) -> dict[str, float]:
    """What the logistic model sees of a claim and a window of evidence; each in 0..1."""
    held = window.wording
    content = len(claim.content)
    return {
        "coverage": covered(claim.content, window.stems, weight),
        "passage": covered(claim.content, piece.stems, weight),
        "pairs": len(claim.pairs & window.pairs) / len(claim.pairs)
        if claim.pairs
        else float(set(claim.content) <= window.stems),
        "run": longest_run(claim.content, held.content) / content if content else 0.0,
        "numbers": float(bool(claim.numbers - held.numbers)),
        "names": len(claim.names - window.stems) / len(claim.names) if claim.names else 0.0,
        "negation": float(claim.negated != held.negated),
        "cosine": cosine,
        "short": 1 / (1 + content),
    }
