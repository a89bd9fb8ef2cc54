"""Instructions about the answer as a whole: two of them, or the request first."""

from __future__ import annotations


def two_responses(text: str, /) -> bool:
    """Two different responses with six asterisks between; a blank one only before the first and after the last."""
    parts = [part.strip() for part in text.split("******")]
    said = list(filter(None, parts))
    return all(parts[1:-1]) and len(said) == 2 and said[0] != said[1]


def repeated(text: str, /, *, prompt_to_repeat: str) -> bool:
    """The text begins with the request, word for word, in any case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())
