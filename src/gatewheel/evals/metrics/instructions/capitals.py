"""Instructions about capital letters."""

from __future__ import annotations

from gatewheel.evals.metrics.instructions.language import speaks
from gatewheel.evals.metrics.instructions.relation import Relation, holds
from gatewheel.evals.metrics.instructions.sentences import words


def all_capital(text: str, /) -> bool:
    """English without a small letter."""
    return text.isupper() and speaks(text, "en")


def all_small(text: str, /) -> bool:
    """English without a capital letter."""
    return text.islower() and speaks(text, "en")


def capital_words(text: str, /, *, capital_frequency: int, capital_relation: Relation) -> bool:
    """So many words in capital letters alone, "I" among them; words as the Penn Treebank parts them."""
    return holds(sum(map(str.isupper, words(text))), capital_relation, capital_frequency)
