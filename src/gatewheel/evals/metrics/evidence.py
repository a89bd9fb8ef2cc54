"""What an answer says, in sentences, and the passages that it may rest on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case, Passage, Span

Sentences = Callable[[str], Sequence[Span]]
_STOP = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=\S)|(?<=[。！？।؟۔])|\n\s*\n")


def passages(case: Case, answer: Answer) -> list[Passage]:
    """The passages that were retrieved, and the context that was handed over with the question."""
    found = [hit.passage for hit in answer.passages]
    if case.context.strip():
        span = (0, len(case.context))
        found.append(Passage(id="context", source="context", span=span, text=case.context))
    return found


def worded(passage: Passage) -> str:
    """A passage with what stands above it."""
    return "\n".join(text for text in (passage.title, passage.heading, passage.text) if text)


def claims(answer: Answer, *, sentences: Sentences | None = None) -> list[str]:
    """The sentences that the reader is shown.

    Where the application did not part the text, `sentences` does; without it every stop parts, that of "Dr." as well.
    """
    text = words(answer)
    shown = [sentence.text for sentence in answer.sentences if sentence.text in text]
    # the sentences of JSON are "$.key: value" and stand nowhere word for word
    everything = shown or [sentence.text for sentence in answer.sentences]
    if not everything:
        everything = [text[start:end] for start, end in sentences(text)] if sentences else _STOP.split(text)
    return [claim.strip() for claim in everything if claim.strip()]
