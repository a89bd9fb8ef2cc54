"""Whether retrieved evidence answers a question, read from words and cosines before anything is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatewheel.rag.evidence import Evidence, Window, weights
from gatewheel.rag.wording import Wording, covered, read

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Vectors


def features(
    question: str, vector: Vectors, evidence: Sequence[Evidence], similarities: Sequence[float]
) -> dict[str, float]:
    asked = read(question)
    weight = weights(evidence)
    kind = _kind(question)
    best: dict[str, float] = {}
    top_cos = []
    rows = []
    for piece in evidence:
        cosines = piece.cosines(vector)
        top_cos.append(max(cosines, default=0.0))
        for window, cosine in zip(piece.windows, cosines, strict=True):
            rows.append((covered(asked.content, window.stems, weight), cosine, window, piece))
    union = frozenset().union(*(p.stems for p in evidence))
    sentence = max(rows, key=lambda r: 0.5 * r[0] + r[1])
    cover, cosine, window, piece = sentence
    ordered = sorted(similarities, reverse=True)
    content = set(asked.content)
    return {
        "similarity": ordered[0],
        "margin": ordered[0] - sum(ordered[1:]) / max(1, len(ordered) - 1) if len(ordered) > 1 else 0.0,
        "cosine": max(top_cos),
        "coverage": max(r[0] for r in rows),
        "joint": cover,
        "joint_cosine": cosine,
        "passage": max(covered(asked.content, p.stems, weight) for p in evidence),
        "union": covered(asked.content, union, weight),
        "names": len(asked.names - piece.stems) / len(asked.names) if asked.names else 0.0,
        "names_window": len(asked.names - window.stems) / len(asked.names) if asked.names else 0.0,
        "numbers": float(bool(asked.numbers - frozenset().union(*(w.wording.numbers for w in piece.windows)))),
        "pairs": max((len(asked.pairs & r[2].pairs) for r in rows), default=0) / max(1, len(asked.pairs)),
        "type": _type(kind, asked, window),
        "negation": float(asked.negated != window.wording.negated),
        "short": 1 / (1 + len(asked.content)),
        "named": float(bool(asked.names)),
    }


def _kind(question: str) -> str:
    q = question.lower()
    if re.search(
        r"\b(when|what year|which year|how many|how much|how old|how long|how far|what date|what percent\w*|what number)\b",
        q,
    ):
        return "number"
    if re.search(r"\b(who|whom|whose|where|which (city|country|state|person)|what (city|country|state))\b", q):
        return "name"
    return ""


def _type(kind: str, asked: Wording, window: Window) -> float:
    if kind == "number":
        return 1.0 if window.wording.numbers - asked.numbers else -1.0
    if kind == "name":
        return 1.0 if window.wording.names - frozenset(asked.content) else -1.0
    return 0.0


def probability(question, vector, evidence, similarities):
    return 0.0
