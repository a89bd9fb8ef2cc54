"""Stage two, context construction: hits to numbered passages inside a token budget, without repetition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gatewheel.kernel.nouns import Hit, Passage

NEAR_DUPLICATE = 0.9  # share of words in common above which the second passage adds nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """A passage as the prompt shows it under [n]; `text` may be the beginning of the passage when space was short."""

    n: int
    passage: Passage
    text: str

    @property
    def heading(self) -> str:
        """The headings above the passage."""
        return self.passage.heading

    @property
    def source(self) -> str:
        """Where the passage comes from."""
        return self.passage.source


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What goes into the prompt, and why the rest did not."""

    numbered: tuple[Numbered, ...]
    tokens: int
    duplicates: int
    over_budget: int


def build(hits: Sequence[Hit], *, count_tokens: Callable[[str], int], budget: int, most: int) -> Context:
    """The best hits first, each once, at most `most` of them, together at most `budget` tokens.

    A first passage that is over the budget by itself is cut at a sentence or word rather than left out.
    """
    chosen: list[Numbered] = []
    words: list[frozenset[str]] = []
    tokens = duplicates = over = 0
    for hit in hits:
        if len(chosen) == most:
            break
        passage = hit.passage
        bag = frozenset(re.findall(r"\w+", passage.text.lower()))
        if any(_repeats(passage, bag, other.passage, seen) for other, seen in zip(chosen, words, strict=True)):
            duplicates += 1
            continue
        text, size = passage.text, count_tokens(passage.text)
        if tokens + size > budget:
            if chosen:
                over += 1
                continue
            text, size = _shortened(text, size, count_tokens=count_tokens, budget=budget)
        chosen.append(Numbered(n=len(chosen) + 1, passage=passage, text=text))
        words.append(bag)
        tokens += size
    return Context(numbered=tuple(chosen), tokens=tokens, duplicates=duplicates, over_budget=over)


def _repeats(a: Passage, bag_a: frozenset[str], b: Passage, bag_b: frozenset[str]) -> bool:
    if a.source == b.source:
        overlap = min(a.span[1], b.span[1]) - max(a.span[0], b.span[0])
        if overlap > NEAR_DUPLICATE * min(a.span[1] - a.span[0], b.span[1] - b.span[0]):
            return True
    union = len(bag_a | bag_b)
    return union > 0 and len(bag_a & bag_b) / union > NEAR_DUPLICATE


def _shortened(text: str, size: int, *, count_tokens: Callable[[str], int], budget: int) -> tuple[str, int]:
    """The beginning of a text that fits, with its tokens; one character when not even that does."""
    while size > budget and len(text) > 1:
        kept = text[: max(1, min(len(text) - 1, int(len(text) * budget / size * 0.95)))]
        ends = [kept.rfind(mark) for mark in (". ", "\n", " ")]
        end = next((at for at in ends if at > len(kept) // 2), len(kept))
        text = kept[: end + 1].rstrip() or kept
        size = count_tokens(text)
    return text, size
