"""Instructions about words and letters. A keyword is text, never a pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatewheel.evals.metrics.instructions.relation import Relation, holds


def existence(text: str, /, *, keywords: Sequence[str]) -> bool:
    """Every keyword stands in the text, also inside of a word, in any case."""
    return all(_find(keyword, text) for keyword in keywords)


def frequency(text: str, /, *, keyword: str, frequency: int, relation: Relation) -> bool:
    """The keyword stands in the text so often, also inside of words."""
    return holds(len(_find(keyword.strip(), text)), relation, frequency)


def forbidden(text: str, /, *, forbidden_words: Sequence[str]) -> bool:
    """None of the words stands in the text by itself."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in forbidden_words)


def letters(text: str, /, *, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    """The letter, or another sign, comes so often, small or capital."""
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def _find(keyword: str, text: str) -> list[str]:
    return re.findall(re.escape(keyword), text, re.IGNORECASE)
