"""An answer of which nothing is known but its words: one that people wrote or judged elsewhere, or none at all."""

from __future__ import annotations

from gatewheel.kernel.nouns import Answer, Usage


def plain_answer(text: str) -> Answer:
    """Without passages, citations, usage and trace."""
    return Answer(
        answer=text,
        abstained=False,
        citations=(),
        passages=(),
        sentences=(),
        usage=Usage(),
        seconds=0.0,
        variant="",
        trace=None,
    )
