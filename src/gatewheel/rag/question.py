"""Stage one, input handling: a raw question to one that retrieval can use, with the conversation taken into account."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Message

MAX_CHARACTERS = 8_000
# words that point back at something said before
_BACK = re.compile(
    r"\b(it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|one|ones|same|else|also|"
    r"former|latter|another|other|others)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^\s*(and|but|or|so|what about|how about|why|why not|when|where|who|how so)\b", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # letters of Persian and Indic words, and the glue of emoji
SHORT = 4  # words; a shorter follow-up rarely names its subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked: the text, the turns before it, a metadata filter, and a JSON Schema when the answer is JSON."""

    text: str
    history: tuple[Message, ...] = ()
    where: str = ""
    schema: Mapping[str, Any] | None = None


def clean(question: str) -> str:
    """A question without control characters and outer white space, in Unicode NFC.

    Raises UserError when nothing is left or it is longer than MAX_CHARACTERS.
    """
    text = unicodedata.normalize("NFC", "".join(map(_storable, question))).strip()
    if not text:
        raise UserError("the question is empty", cure='ask e.g. gatewheel ask "What does a gate decide?"')
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"the question has {len(text)} characters, more than {MAX_CHARACTERS}",
            cure="put long text into a document and `gatewheel ingest` it",
        )
    return text


def _storable(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Cs" if character not in "\n\t":
            return " "
        case "Cf" if character not in _JOINERS:  # marks of direction, soft hyphens: unseen, inside words
            return ""
    return character


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as retrieval should see it: a follow-up carries the user's previous question with it.

    A rule rather than a model: the embedded 135M model rewrites a follow-up into something else more often than not.
    """
    earlier = [turn.content for turn in history if turn.role == "user"]
    if not earlier or not _points_back(question):
        return question
    return f"{earlier[-1]} {question}"


def _points_back(question: str) -> bool:
    words = re.findall(r"\w+", question)
    return (
        len(words) <= SHORT
        or bool(_BACK.search(question))
        or bool(_OPENING.match(question) and len(words) <= 2 * SHORT)
    )
