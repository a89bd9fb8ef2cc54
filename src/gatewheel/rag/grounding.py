"""Whether evidence supports a sentence, and whether hits answer a question: two small logistic models over words and
cosines. A claim that follows from the evidence only by reasoning counts as unsupported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Hit, Passage
from gatewheel.kernel.ports import Encoder, Support
from gatewheel.rag.answerable import answerable, best_sentence
from gatewheel.rag.evidence import Evidence, Window, prepare, weights
from gatewheel.rag.logistic import probability
from gatewheel.rag.wording import Wording, covered, longest_run, read

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Vectors

# python benchmarks/calibrate.py --part support: fitted on half of the groups of FaithDial audit, MTRAG human, HaluEval,
# SciFact, and sentences of CLAP NQ and SQuAD with a number, name or negation made wrong. On the other half, AUROC with
# its 95 % interval (in brackets: coverage of words alone):
# made wrong .952 [.932, .968] (.838), HaluEval .956 [.925, .981] (.935), MTRAG .898 [.803, .970] (.921),
# FaithDial .754 [.679, .831] (.834), SciFact .727 [.655, .799] (.796). At 0.8, 7 % of the sentences made wrong pass
# and 86 % of the right ones; of chatty FaithDial turns 4 % and 39 %.
COEFFICIENTS: Mapping[str, float] = MappingProxyType(
    {
        "": -2.49,
        "passage": 1.42,
        "run": 1.77,
        "numbers": -2.57,
        "names": -2.91,
        "negation": -3.5,
        "cosine": 1.52,
        "brevity": 3.01,
    }
)
WITHOUT_ENCODER: Mapping[str, float] = MappingProxyType(
    {
        "": -1.83,
        "passage": 2.07,
        "run": 1.99,
        "numbers": -2.47,
        "names": -3.07,
        "negation": -3.55,
        "brevity": 1.68,
    }
)

KEPT_PASSAGES = 128  # prepared passages stay, because each sentence of an answer asks for them again
UNCHECKABLE = Support(score=0.0, passage=0, start=0, end=0)


class Settings(BaseModel):
    """`[checker.<name>] use = "grounding"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    support: float = Field(0.8, ge=0, le=1, description="A sentence with less support is dropped or flagged.")
    answerability: float = Field(0.3, ge=0, le=1, description="A question with less is refused before writing.")
    passages: int = Field(5, ge=1, le=50, description="Best hits from which the answerability is read.")


def create(settings: Settings, *, encoder: Encoder) -> Grounding:
    """The checker; with an encoder without dimensions it goes by words alone."""
    return Grounding(settings, encoder)


class Grounding:
    """Fulfils the port Checker. Safe to call from several threads."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        self.support_threshold = settings.support
        self.threshold = settings.answerability
        self._passages = settings.passages
        self._encoder = encoder
        self._prepare = lru_cache(maxsize=KEPT_PASSAGES)(self._read)

    def support(self, claims: Sequence[str], passages: Sequence[Passage]) -> list[Support]:
        """For each claim the sentence, or two neighbours, of a passage that bears it out best; spans into the document.

        A claim without a content word, and any claim without passages, has score 0 and an empty span.
        """
        evidence = [self._prepare(*_content(passage)) for passage in passages]
        if not claims or not any(piece.windows for piece in evidence):
            return [UNCHECKABLE] * len(claims)
        weight = weights(evidence)
        vectors = self._encoder.encode(claims)
        return [
            _best(read(claim), vector, evidence, weight, [passage.span[0] for passage in passages])
            for claim, vector in zip(claims, vectors, strict=True)
        ]

    def answerable(self, question: str, hits: Sequence[Hit]) -> float:
        """Probability that the best hits answer the question; 0 without hits."""
        evidence, near = self._evidence(hits)
        if not any(piece.windows for piece in evidence):
            return 0.0
        return answerable(question, self._encoder.encode([question])[0], evidence, near)

    def quote(self, question: str, hits: Sequence[Hit]) -> Support:
        """The sentence of the best hits that most likely answers, scored by the answerability; empty without hits."""
        evidence, near = self._evidence(hits)
        vector = self._encoder.encode([question])[0]
        found = best_sentence(question, vector, evidence, near)
        if found is None:
            return UNCHECKABLE
        index, window = found
        start = hits[index].passage.span[0]
        score = answerable(question, vector, evidence, near)
        return Support(score=score, passage=index, start=start + window.start, end=start + window.end)

    def _evidence(self, hits: Sequence[Hit]) -> tuple[list[Evidence], list[float]]:
        best = hits[: self._passages]
        return [self._prepare(*_content(hit.passage)) for hit in best], [hit.similarity for hit in best]

    def _read(self, text: str, above: str) -> Evidence:
        return prepare(text, above, self._encoder)


def features(
    claim: Wording, window: Window, piece: Evidence, weight: Mapping[str, float], cosine: float
) -> dict[str, float]:
    """What the logistic model sees of a claim and a window; all but the cosine in 0..1."""
    held = window.wording
    return {
        "coverage": covered(claim.content, window.stems, weight),
        "passage": covered(claim.content, piece.stems, weight),
        "run": longest_run(claim.content, held.content) / max(1, len(claim.content)),
        "numbers": float(bool(claim.numbers - held.numbers)),
        "names": len(claim.names - window.stems) / len(claim.names) if claim.names else 0.0,
        "negation": float(claim.negated != held.negated),
        "cosine": cosine,
        "brevity": 1 / (1 + len(claim.content)),
    }


def _best(
    claim: Wording, vector: Vectors, evidence: Sequence[Evidence], weight: Mapping[str, float], offsets: Sequence[int]
) -> Support:
    if not claim.content:
        return UNCHECKABLE
    coefficients = COEFFICIENTS if vector.shape[0] else WITHOUT_ENCODER
    best = UNCHECKABLE
    for index, piece in enumerate(evidence):
        for window, cosine in zip(piece.windows, piece.cosines(vector), strict=True):
            if window.leads and len(window.rows) == 1:
                continue
            score = probability(features(claim, window, piece, weight, cosine), coefficients)
            if score > best.score:
                start = offsets[index]
                best = Support(score=score, passage=index, start=start + window.start, end=start + window.end)
    return best


def _content(passage: Passage) -> tuple[str, str]:
    return passage.text, f"{passage.title}\n{passage.heading}"
