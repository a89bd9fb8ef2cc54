"""Instructions about how long a text is, in words, sentences and paragraphs."""

from __future__ import annotations

import re

from gatewheel.evals.metrics.instructions.relation import Relation, holds
from gatewheel.evals.metrics.instructions.sentences import count as count_sentences

_WORD = re.compile(r"\w+")
_STARS = re.compile(r"\s?\*\*\*\s?")
_AFTER = re.compile(r"[.,?!'\"]")


def words(text: str, /, *, num_words: int, relation: Relation) -> bool:
    """So many runs of letters and digits: "don't" is two."""
    return holds(len(_WORD.findall(text)), relation, num_words)


def sentences(text: str, /, *, num_sentences: int, relation: Relation) -> bool:
    """So many sentences, as Punkt parts them."""
    return holds(count_sentences(text), relation, num_sentences)


def paragraphs(text: str, /, *, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs between lines of ***; a blank one only before the first and after the last."""
    found = _STARS.split(text)
    inner = found[1:-1]
    return all(map(str.strip, inner)) and sum(map(bool, map(str.strip, found))) == num_paragraphs


def nth_paragraph(text: str, /, *, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs with blank lines between, of which one, from 1, begins with a word."""
    parts = text.split("\n\n")
    count = sum(map(bool, map(str.strip, parts)))
    if count != num_paragraphs or not 1 <= nth_paragraph <= count:
        return False
    # counted with blank ones, as the reference does
    named = parts[nth_paragraph - 1].split(maxsplit=1)
    return bool(named) and _bare(named[0]) == first_word.lower()


def _bare(word: str) -> str:
    return _AFTER.split(word.lstrip("'").lstrip('"'), maxsplit=1)[0].lower()
