"""Whether a text quotes words that are to go: whole, in part, or cut short, as errors and logs quote.

Compared are runs of words without case and punctuation. What has few words would be found in any text, so it counts
only where it stands in quotes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatewheel.data import overlap

LEAST = 3  # words that are found without quotes around them
RUN = 6  # words in a row of a longer text that are no chance
CUT = 60  # characters: errors cut at 80, of which a key and its signs take some
_ESCAPED = re.compile(r"\\[nrt]")  # as JSON and tracebacks write them, before a word
_QUOTED = re.compile(r"""(?<!\w)'([^'\n]{1,200})'(?!\w)|"([^"\n]{1,200})\"""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Of texts their runs of words, as hashes by how many words they have, and as they are those that have few."""

    runs: Mapping[int, frozenset[int]]
    few: frozenset[str]

    def within(self, text: str) -> bool:
        """Whether this quotes one of the texts."""
        text = _ESCAPED.sub(" ", text)
        said = overlap.words(text) if self.runs else []
        for many, known in self.runs.items():
            if any(hash(" ".join(said[at : at + many])) in known for at in range(len(said) - many + 1)):
                return True
        quotes = _QUOTED.findall(text) if self.few else ()
        return any(" ".join(overlap.words(one)) in self.few for pair in quotes for one in pair if one)


def words_of(texts: Iterable[str]) -> Words:
    """The words of these texts."""
    runs, few = defaultdict[int, set[int]](set), set[str]()
    for text in set(texts):
        said = overlap.words(text)
        if len(said) < LEAST:
            few |= {" ".join(said)} - {""}
            continue
        many = min(RUN, len(said))
        runs[many] |= {hash(" ".join(said[at : at + many])) for at in range(len(said) - many + 1)}
        # long words: what is left of a quote that was cut may be no run
        head = overlap.words(text[:CUT])[:-1] if len(text) > CUT else []
        if LEAST <= len(head) < RUN:
            runs[len(head)].add(hash(" ".join(head)))
    return Words(runs={many: frozenset(known) for many, known in runs.items()}, few=frozenset(few))
