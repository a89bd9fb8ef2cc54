"""The ruler of one document: how many encoder tokens lie in a span, and where a number of tokens ends.

Knows nothing about headings, sentences or overlap.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatewheel.kernel.nouns import Span

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets, Tokens

LONGEST_WORD = 100  # WordPiece answers a longer word with one [UNK], which would make a 10 MB word "one token"
UNKNOWN_STEP = 4  # so inside such a word every four characters count as one, the mean of English text
LONGEST_CLUSTER = 32
BLOCK = 1 << 20

_WORD = re.compile(r"\S+")
_WHITE = re.compile(r"\s*")


class Ruler:
    """Measures spans of one text by the token starts of the encoder. Asks the encoder once."""

    def __init__(self, text: str, tokens: Tokens) -> None:
        self.text = text
        self._starts = _with_long_words(text, tokens.starts(text))

    def count(self, start: int, end: int) -> int:
        """Tokens that begin in text[start:end]."""
        return self._place(end) - self._place(start)

    def advance(self, start: int, tokens: int) -> int:
        """The largest end for which text[start:end] holds at most `tokens` tokens (one at least).

        Stays off the inside of a character cluster and of a CRLF unless the cluster alone is too long.
        """
        first = self._place(start)
        if first + tokens >= len(self._starts):
            return len(self.text)
        end = int(self._starts[first + tokens])
        whole = self._cluster_start(end)
        return whole if whole > start else end

    def retreat(self, end: int, tokens: int) -> int:
        """The offset at which the last `tokens` tokens of text[:end] begin."""
        last = self._place(end)
        return self._cluster_start(int(self._starts[max(0, last - tokens)])) if tokens and last else end

    def trim(self, start: int, end: int) -> Span:
        """The span without white space at its ends; empty (start == end) when there is nothing else."""
        text = self.text
        match = _WHITE.match(text, start, end)
        start = match.end() if match else start
        while end > start and text[end - 1].isspace():
            end -= 1
        return start, end

    def windows(self, start: int, end: int, tokens: int) -> Iterator[Span]:
        """The last resort: pieces of at most `tokens` tokens, cut between words where there are any."""
        while start < end:
            stop = min(self.advance(start, tokens), end)
            if stop < end:
                stop = self._word_start(start, stop)
            yield start, stop
            start = stop

    def _place(self, offset: int) -> int:
        """The first token that begins at `offset` or behind it."""
        return int(self._starts.searchsorted(self._starts.dtype.type(offset)))  # a wider number would copy them all

    def _word_start(self, start: int, stop: int) -> int:
        """The nearest place behind white space in the last LONGEST_WORD characters before `stop`, else `stop`."""
        for offset in range(stop, max(start, stop - LONGEST_WORD), -1):
            if self.text[offset - 1].isspace() and not self.text[offset].isspace():
                return offset
        return stop

    def _cluster_start(self, offset: int) -> int:
        for _ in range(LONGEST_CLUSTER):
            if offset <= 0 or offset >= len(self.text) or not _joined(self.text, offset):
                break
            offset -= 1
        return offset


def _joined(text: str, offset: int) -> bool:
    """Whether the characters on both sides of `offset` belong together.

    The part of UAX #29 that matters here: CRLF, marks, joiners, emoji modifiers and flags taken in pairs.
    """
    before, after = text[offset - 1], text[offset]
    if after < "\u0300" and before != "\u200d":
        return before == "\r" and after == "\n"
    if before.isspace() or before < " ":
        return False
    if "\U0001f1e6" <= after <= "\U0001f1ff":
        return _is_second_of_a_flag(text, offset)
    return (
        before == "\u200d"
        or after in "\u200c\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or unicodedata.category(after)[0] == "M"
    )


def _is_second_of_a_flag(text: str, offset: int) -> bool:
    letters = 0
    for before in reversed(text[max(0, offset - LONGEST_CLUSTER) : offset]):
        if not "\U0001f1e6" <= before <= "\U0001f1ff":
            break
        letters += 1
    return letters % 2 == 1


def _with_long_words(text: str, starts: Offsets) -> Offsets:
    """The starts, with more of them inside words that the encoder took for one unknown token or for none."""
    import numpy as np

    extra = [
        np.arange(word.start(), word.end(), UNKNOWN_STEP, dtype=starts.dtype)
        for start, end in _gaps(starts, len(text))
        for word in _WORD.finditer(text, start, end)
        if word.end() - word.start() > LONGEST_WORD or word.start() > start
    ]
    return np.unique(np.concatenate([starts, *extra])) if extra else starts


def _gaps(starts: Offsets, end: int) -> Iterator[Span]:
    """Neighbours that are further apart than LONGEST_WORD, the text's ends included."""
    import numpy as np

    last = 0
    for at in range(0, len(starts) + 1, BLOCK):  # at once, 20 million tokens would need 300 MB more
        stop = [end] if at + BLOCK > len(starts) else starts[:0]
        edges = np.concatenate(([last], starts[at : at + BLOCK], stop))
        for gap in np.flatnonzero(np.diff(edges) > LONGEST_WORD):
            yield int(edges[gap]), int(edges[gap + 1])
        last = edges[-1]
