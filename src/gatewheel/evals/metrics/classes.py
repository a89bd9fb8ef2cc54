"""Which class or choice an answer names. Knows nothing about how sure the answer is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.words import words
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case

_EDGES = " .,;:!?\"'“”‘’«»`()[]*_"
# possessive: a model that writes ten thousand spaces is read once
_LETTER = re.compile(
    r"\W*+(?:(?:the\s++)?(?:correct\s++)?(?:answer|option|choice)\b(?:\s++is\b)?\s*+:?\s*+)?\(?"
    r"(?P<letter>[A-Za-z])(?:[).:*]++(?=\s|$)|\s*+$)",
    re.IGNORECASE,
)


Names = Annotated[
    tuple[str, ...],
    Field(
        description="All classes, so that one is found inside a sentence. Without them an answer is its own class; "
        "multiple choice knows its choices."
    ),
]


class Settings(BaseModel):
    """`[metric.<name>] use = "accuracy" or "macro-f1"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    classes: Names = ()


def fold(text: str) -> str:
    """The text as classes are compared: NFKC, without case, without punctuation at its ends.

    >>> fold(" “Not  Guilty.” "), fold("+")
    ('not guilty', '+')
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(_EDGES) or folded


def labels(case: Case, answer: Answer, settings: Settings) -> tuple[str | None, str] | None:
    """The class that the answer names, None where it names none or several, and the right one; both folded.

    None where the case has no label. Raises UserError when the label is none of the choices or classes.
    """
    if not case.label:
        return None
    names = case.choices or settings.classes
    # "AA", "Aa" and "aa" are three genotypes, "5" and "5!" two numbers
    folding = fold if len(set(map(fold, names))) == len(set(names)) else _spaced
    known = tuple(map(folding, names))
    right = folding(case.label)
    if known and right not in known:
        right = _by_letter(case.label, known) or ""
        if not right:
            what = f"case {case.id!r}: its label {case.label!r} is none of {', '.join(names)}"
            raise UserError(what, cure="write the label as one of them")
    text = words(answer)
    return _named(folding(text), known, _by_letter(text, known) if case.choices else None), right


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _named(said: str, known: Sequence[str], lettered: str | None) -> str | None:
    """The class that a text is; else the choice whose letter it begins with; else the only one that stands in it."""
    if not known or said in known:
        return said or None
    if lettered is not None:
        return lettered
    inside = [one for one in dict.fromkeys(known) if one and _stands_in(one, said)]
    longest = [one for one in inside if not any(one != other and _stands_in(one, other) for other in inside)]
    return longest[0] if len(longest) == 1 else None


def _by_letter(text: str, known: Sequence[str]) -> str | None:
    """The choice of "B", "(b)", "B. Paris" or "The answer is B"."""
    match = _LETTER.match(text)
    at = ord(match["letter"].upper()) - ord("A") if match else len(known)
    return known[at] if at < len(known) else None


def _stands_in(piece: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", text) is not None
