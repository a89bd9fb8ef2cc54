"""Whether retrieved evidence answers a question, read from words and cosines before anything is written.

It sees whether the documents speak of what is asked. It hardly sees a trap, where they speak of it and yet do not say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from gatewheel.rag.evidence import Evidence, Window, weights
from gatewheel.rag.logistic import probability
from gatewheel.rag.wording import Wording, covered, echoes, read

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Vectors

# python benchmarks/calibrate.py --part answerability --questions 80, on held-out groups. AUROC with its 95 % interval:
# CLAP NQ .916 [.866, .963] (n 149), SQuAD 2 traps .694 [.613, .774] (n 158). Below 0.3 are refused: of answerable
# questions 3 % (SQuAD), 1 % (CLAP NQ), 1 % (NQ), 11 % (18F handbook, n 36); of questions that belong to other documents
# 89 to 100 %; of CLAP NQ's unanswerable ones 38 %, of SQuAD 2's traps 23 %. The cosines are those of all-MiniLM-L6-v2:
# another encoder needs its own fit.
COEFFICIENTS: Mapping[str, float] = MappingProxyType(
    {
        "": -7.16,
        "similarity": 7.22,
        "margin": 0.85,
        "cosine": 4.98,
        "passage": 0.24,
        "pairs": 1.8,
        "names": -0.85,
        "numbers": -0.03,
        "type": 0.11,
        "brevity": 2.02,
    }
)
# weaker by far: AUROC .681 on CLAP NQ, .558 on SQuAD 2; 62 to 94 % of questions that belong elsewhere are refused
WITHOUT_ENCODER: Mapping[str, float] = MappingProxyType(
    {
        "": -1.02,
        "coverage": 1.04,
        "passage": 2.45,
        "pairs": 2.62,
        "names": -1.97,
        "numbers": -0.49,
        "type": 0.09,
        "brevity": -6.58,
    }
)

_ASKS_NUMBER = re.compile(
    r"\b(when|how (many|much|old|long|far|often)|(what|which) (year|date|number|percent\w*))\b", re.I
)
_ASKS_NAME = re.compile(r"\b(who|whom|whose|where|(what|which) (city|country|state|person))\b", re.I)


def answerable(question: str, vector: Vectors, evidence: Sequence[Evidence], similarities: Sequence[float]) -> float:
    """Probability that the evidence answers the question. `vector` is the question's, without columns if no encoder."""
    seen = features(question, vector, evidence, similarities)
    return probability(seen, COEFFICIENTS if vector.shape[0] else WITHOUT_ENCODER)


def features(
    question: str, vector: Vectors, evidence: Sequence[Evidence], similarities: Sequence[float]
) -> dict[str, float]:
    """What the logistic model sees. `similarities` are cosines of question and passage; where all are 0, because
    retrieval went by words, those of the best sentences stand in."""
    asked = read(question)
    weight = weights(evidence)
    cosines = [piece.cosines(vector) for piece in evidence]
    near = list(similarities) if any(similarities) else [max(row, default=0.0) for row in cosines]
    rated = [
        (0.5 * covered(asked.content, window.stems, weight) + cosine, cosine, window, piece)
        for row, piece in zip(cosines, evidence, strict=True)
        for cosine, window in zip(row, piece.windows, strict=True)
    ]
    score, cosine, best, piece = max(rated, key=lambda entry: entry[0])
    top = max(near)
    return {
        "similarity": top,
        "margin": top - (sum(near) - top) / (len(near) - 1) if len(near) > 1 else 0.0,
        "cosine": max(entry[1] for entry in rated),
        "coverage": 2 * (score - cosine),
        "passage": max(covered(asked.content, held.stems, weight) for held in evidence),
        "pairs": max(len(asked.pairs & window.pairs) for _, _, window, _ in rated) / max(1, len(asked.pairs)),
        "names": len(asked.names - piece.stems) / len(asked.names) if asked.names else 0.0,
        "numbers": len(asked.numbers - piece.stems) / len(asked.numbers) if asked.numbers else 0.0,
        "type": _type(question, asked, best),
        "brevity": 1 / (1 + len(asked.content)),
    }


def best_sentence(
    question: str, vector: Vectors, evidence: Sequence[Evidence], similarities: Sequence[float]
) -> tuple[int, Window] | None:
    """The sentence most likely to hold the answer, with the number of its passage.

    Holds the gold answer for 79 % of held-out SQuAD questions (n 120) and 59 % of NQ's (n 80); by cosine alone 66 and
    52 %. The embedded 135M model's own drafts: 33 to 53 % of SQuAD's.
    """
    asked = read(question)
    weight = weights(evidence)
    best: tuple[float, int, Window] | None = None
    for index, (piece, near) in enumerate(zip(evidence, similarities, strict=True)):
        inherited = 0.0
        for cosine, window in zip(piece.cosines(vector), piece.windows, strict=True):
            if len(window.rows) > 1:
                continue
            score = covered(asked.content, window.stems, weight) + cosine + near
            # a question in the document, or a heading that echoes the one asked: what follows answers it
            if window.leads or echoes(window.text, question):
                inherited = score
                continue
            score = max(score, inherited) + 0.1 * _type(question, asked, window)
            inherited = 0.0
            if best is None or score > best[0]:
                best = (score, index, window)
    return best[1:] if best else None


def _type(question: str, asked: Wording, window: Window) -> float:
    """1 when the evidence holds a new number or name as the question wants, -1 when it does not, 0 for any other."""
    if _ASKS_NUMBER.search(question):
        return 1.0 if window.wording.numbers - asked.numbers else -1.0
    if _ASKS_NAME.search(question):
        return 1.0 if window.wording.names - frozenset(asked.content) else -1.0
    return 0.0
