"""Lexical grounding: the share of an answer's content words that stand in the passages or the context of the case."""

from __future__ import annotations

import re

from gatewheel.evals.metrics.evidence import passages, worded
from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case, Span
from gatewheel.kernel.scripts import UNSPACED

_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[{UNSPACED}]|[^\W\d_{UNSPACED}]+(?:['’][^\W\d_]+)?")
_FUNCTION = frozenset(
    "a an the and or but of to in on at by for with from as is are was were be been being am it its this that these "
    "those he she they them his her their theirs him there here i you we me my your our us do does did has have had "
    "having will would can could shall should may might must what which who whom whose when where why how if then "
    "than so such into about not no yes also".split()
)


def lexical_grounding(case: Case, answer: Answer) -> float | None:
    """In 0..1; None for an abstention, and where there is no evidence or no content word."""
    if answer.abstained:
        return None
    said = content(words(answer)).keys()
    evidence = passages(case, answer)
    if not said or not evidence:
        return None
    held = set().union(*(content(worded(one)) for one in evidence))
    return len(said & held) / len(said)


def content(text: str) -> dict[str, Span]:
    """The words that carry content, each once, where it stands first: to say one again says nothing more."""
    # whole words, because stems told no more on three labelled sets: python benchmarks/metrics.py
    found: dict[str, Span] = {}
    for match in _WORD.finditer(text):
        word = match.group().lower().replace("’", "'").removesuffix("'s").replace(",", "")
        if word not in _FUNCTION:
            found.setdefault(word, match.span())
    return found


def create(_settings: Settings) -> Mean:
    """The metric."""
    return Mean(lexical_grounding)
