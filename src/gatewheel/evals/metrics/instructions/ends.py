"""Instructions about how a text begins and ends, and about its commas."""

from __future__ import annotations


def phrase(text: str, /, *, end_phrase: str) -> bool:
    """The text ends with this phrase, in any case; a quotation mark may follow."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str, /) -> bool:
    """The whole text stands between double quotation marks."""
    bare = text.strip()
    return len(bare) > 1 and bare.startswith('"') and bare.endswith('"')


def no_comma(text: str, /) -> bool:
    """There is no comma."""
    return "," not in text
