"""The signals of faithfulness that calibration weighs, by the names of their metrics, and the parts that each takes."""

from __future__ import annotations

PARTS: dict[str, tuple[str, ...]] = {
    "lexical-grounding": (),
    "token-precision": ("encoder",),
    "evidence-gain": ("likelihoods",),
    "faithfulness": ("checker", "sentences"),
}
SIGNALS = tuple(PARTS)
