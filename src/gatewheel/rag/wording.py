"""What a text says as far as its words show it: stems, numbers, names, negation. Knows nothing of passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[{_CJK}]|[^\W\d_{_CJK}][^\W_{_CJK}]*(?:['’][^\W\d_]+)?")
_STOP = _words(
    "a an the and or but of to in on at by for with from as is are was were be been being am it its this that these "
    "those he she they them his her their theirs him there here i you we me my your our us do does did has have had "
    "having will would can could shall should may might must what which who whom whose when where why how if then "
    "than so such into about s t d ll ve re also according passage passages"
)
_NEGATIONS = _words("not no never without neither nor none nobody nothing cannot")
# without "one", which counts nothing in "one of the"
_SPELLED = dict(two="2", three="3", four="4", five="5", six="6", seven="7", eight="8", nine="9", ten="10") | dict(
    eleven="11", twelve="12", fifteen="15", twenty="20", thirty="30", forty="40", fifty="50", hundred="100"
)


# what a sentence may add to a question and still say nothing new: "the answer is …"
_FRAME = _words("a an the is are was were be of it that this do does did answer question text document")


@lru_cache(maxsize=4096)
def every_stem(text: str) -> frozenset[str]:
    """Stems of all words, function words included: "May" is one of them, and at times the whole answer."""
    return frozenset(_stemmer().stemWord(match.group().lower()) for match in _WORD.finditer(text))


def echoes(text: str, question: str) -> bool:
    """Whether a text has no word that the question did not have, so that it says nothing new."""
    return every_stem(text) <= every_stem(question) | frozenset(map(_stemmer().stemWord, _FRAME))


@dataclass(frozen=True, slots=True)
class Wording:
    """Stems of the content words in their order, and among them those that must not be wrong."""

    content: tuple[str, ...]
    numbers: frozenset[str]
    names: frozenset[str]
    negated: bool

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Neighbouring content stems."""
        return frozenset(pairwise(self.content))


@lru_cache(maxsize=4096)
def read(text: str) -> Wording:
    """The wording of a sentence or passage.

    >>> wording = read("Kublai never took 1,200 ships to Japan.")
    >>> wording.content, sorted(wording.numbers), sorted(wording.names), wording.negated
    (('kublai', 'took', '1200', 'ship', 'japan'), ['1200'], ['japan'], True)
    """
    content: list[str] = []
    numbers: set[str] = set()
    names: set[str] = set()
    negated = False
    for match in _WORD.finditer(text):
        word = match.group()
        lower = word.lower().replace("’", "'")
        negated |= lower in _NEGATIONS or lower.endswith("n't")
        if lower in _STOP or lower in _NEGATIONS or lower.endswith("n't"):
            continue
        stem = number = _SPELLED.get(lower, word.replace(",", "") if word[0].isdigit() else "")
        if number:
            numbers.add(number)
        else:
            stem = _stemmer().stemWord(lower.removesuffix("'s"))
            if word[0].isupper() and not _begins_sentence(text, match.start()):
                names.add(stem)
        content.append(stem)
    return Wording(tuple(content), frozenset(numbers), frozenset(names), negated)


def longest_run(claim: Sequence[str], evidence: Sequence[str]) -> int:
    """Length of the longest run of stems that stands in both, in words.

    >>> longest_run(("a", "b", "c"), ("x", "b", "c"))
    2
    """
    best = 0
    previous: dict[int, int] = {}
    places: dict[str, list[int]] = {}
    for place, stem in enumerate(evidence):
        places.setdefault(stem, []).append(place)
    for stem in claim:
        current = {place: previous.get(place - 1, 0) + 1 for place in places.get(stem, ())}
        best = max(best, *current.values()) if current else best
        previous = current
    return best


def covered(wanted: Iterable[str], held: frozenset[str], weight: Mapping[str, float]) -> float:
    """Share of the wanted stems, by weight, that are held; 1 when nothing is wanted. Unknown stems weigh 1."""
    total = found = 0.0
    for stem in wanted:
        mass = weight.get(stem, 1.0)
        total += mass
        found += mass if stem in held else 0.0
    return found / total if total else 1.0


def _begins_sentence(text: str, place: int) -> bool:
    before = text[:place].rstrip(" \t\"'“‘([*_#->")
    return not before or before[-1] in ".!?:\n"


@cache
def _stemmer() -> Stemmer.Stemmer:
    import Stemmer

    return Stemmer.Stemmer("english")
