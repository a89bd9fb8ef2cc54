"""From units to passages: cut what is too long, then fill each passage with whole units.

Knows nothing about what a unit is: a sentence, a list item, a row or a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from gatewheel.kernel.nouns import Span
from gatewheel.rag.chunk.ruler import Ruler

Cut = Callable[[str, int, int], Iterable[int]]
"""Offsets inside text[start:end], ascending, at which this span may be cut."""


def fit(span: Span, cuts: Sequence[Cut], *, ruler: Ruler, limit: int) -> Iterator[Span]:
    """Pieces of at most `limit` tokens without gaps, by the coarsest cut that will do, at last by words.

    Goes as deep as there are cuts, never deeper.
    """
    start, end = span
    if ruler.count(start, end) <= limit:
        yield span
    elif not cuts:
        yield from ruler.windows(start, end, limit)
    else:
        inner = (offset for offset in cuts[0](ruler.text, start, end) if start < offset < end)
        for piece in pairwise((start, *inner, end)):
            yield from fit(piece, cuts[1:], ruler=ruler, limit=limit)


def trimmed(spans: Iterable[Span], ruler: Ruler) -> list[Span]:
    """The spans without white space at their ends; those with nothing else are left out."""
    return [span for span in (ruler.trim(*span) for span in spans) if span[0] < span[1]]


def pack(units: Sequence[Span], *, ruler: Ruler, limit: int, overlap: int = 0) -> list[Span]:
    """Passages of whole units with at most `limit` tokens each, filled from the left.

    A passage begins with as many whole units from the end of the one before as hold at most `overlap`
    tokens together and leave room for the next unit. The units are in order, trimmed and not empty;
    one that is over `limit` makes a passage of its own.
    """
    passages: list[Span] = []
    first = 0
    for place, (_, end) in enumerate(units):
        if place == first or ruler.count(units[first][0], end) <= limit:
            continue
        passages.append((units[first][0], units[place - 1][1]))
        first = _first_shared(units, first, place, ruler=ruler, limits=(limit, overlap))
    if units:
        passages.append((units[first][0], units[-1][1]))
    return passages


def _first_shared(units: Sequence[Span], first: int, place: int, *, ruler: Ruler, limits: tuple[int, int]) -> int:
    """Where the passage that ends with units[place] may begin: later than `first`, within both limits."""
    limit, overlap = limits
    shared = place
    while shared - 1 > first:
        start = units[shared - 1][0]
        if ruler.count(start, units[place - 1][1]) > overlap or ruler.count(start, units[place][1]) > limit:
            break
        shared -= 1
    return shared
