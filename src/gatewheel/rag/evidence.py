"""A passage as evidence: its sentences, and pairs of neighbours, with their wording and vectors. Judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from gatewheel.kernel.nouns import Span
from gatewheel.kernel.ports import Encoder
from gatewheel.rag.sentences import sentence_spans
from gatewheel.rag.wording import Wording, read

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Vectors

PAIR_CHARACTERS = 600  # two neighbours longer than this together are no longer a quote that one checks at a glance


@dataclass(frozen=True, eq=False)
class Window:
    """One sentence, or two neighbours, at `start:end` of the passage text; `rows` are its sentences.

    `leads` marks a question or a heading: it may hold every word of a question and yet answers nothing.
    """

    start: int
    end: int
    rows: tuple[int, ...]
    wording: Wording
    stems: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    leads: bool
    text: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """A passage made ready. `vectors` has a unit row for each sentence, or no columns when there is no encoder."""

    windows: tuple[Window, ...]
    stems: frozenset[str]  # of the text, its heading and its title
    vectors: Vectors

    def cosines(self, vector: Vectors) -> list[float]:
        """Cosine of a unit vector with each window; 0 without an encoder. A pair has its sentences' mean."""
        if not self.vectors.shape[1]:
            return [0.0] * len(self.windows)
        single = (self.vectors @ vector).tolist()
        return [sum(single[row] for row in window.rows) / len(window.rows) for window in self.windows]


def prepare(text: str, above: str, encoder: Encoder) -> Evidence:
    """Cut a passage into windows and encode its sentences. `above` is its title and headings, which hold words too."""
    spans = sentence_spans(text)
    wordings = [read(text[start:end]) for start, end in spans]
    windows = [_window(text, (start, end), (row,), wordings[row]) for row, (start, end) in enumerate(spans)]
    for row, ((start, _), (_, end)) in enumerate(pairwise(spans)):
        if end - start <= PAIR_CHARACTERS:
            windows.append(_window(text, (start, end), (row, row + 1), _joined(wordings[row], wordings[row + 1])))
    stems = frozenset(read(above).content).union(*(window.stems for window in windows))
    return Evidence(tuple(windows), stems, encoder.encode([text[start:end] for start, end in spans]))


def weights(evidence: Sequence[Evidence]) -> dict[str, float]:
    """How telling a stem is among this evidence: 1 for one that stands in no sentence, less the more hold it."""
    counts: Counter[str] = Counter()
    sentences = 0
    for piece in evidence:
        for window in piece.windows:
            if len(window.rows) == 1:
                counts.update(window.stems)
                sentences += 1
    ceiling = log(1 + sentences / 0.5)
    return {stem: max(0.2, log(1 + sentences / (n + 0.5)) / ceiling) for stem, n in counts.items()}


def _window(text: str, span: Span, rows: tuple[int, ...], wording: Wording) -> Window:
    start, end = span
    words = text[start:end]
    leads = words.startswith("#") or words.rstrip("\"'”’»)*_` ").endswith(("?", "？", "؟"))
    return Window(start, end, rows, wording, frozenset(wording.content), wording.pairs, leads, words)


def _joined(first: Wording, second: Wording) -> Wording:
    return Wording(
        first.content + second.content,
        first.numbers | second.numbers,
        first.names | second.names,
        first.negated or second.negated,
    )
