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
LOOK_BACK = 4  # turns; a subject that was last named earlier is hardly still meant
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
    """The question as retrieval should see it: a follow-up carries what it follows with it, as far back as needed.

    A rule rather than a model: the embedded 135M model rewrites a follow-up into something else more often than not.
    """
    asked = [*(turn.content for turn in history if turn.role == "user"), question][-LOOK_BACK:]
    first = len(asked) - 1
    while first > 0 and (_points_back(asked[first]) or (first == len(asked) - 1 and _is_short(asked[first]))):
        first -= 1
    return " ".join(asked[first:])


def _points_back(question: str) -> bool:
    return bool(_BACK.search(question)) or bool(_OPENING.match(question) and len(question.split()) <= 2 * SHORT)


def _is_short(question: str) -> bool:
    return len(re.findall(r"\w+", question)) <= SHORT
