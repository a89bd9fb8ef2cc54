"""Cases that are nearly the same: by runs of 13 words, by the share of 5-word runs, by the cosine of their vectors.

What is compared is what is asked: turns of the user, question, choices. Two that ask alike about different contexts
are different cases. Words are compared without case and punctuation.

The 13-word runs, and leaving out those that many cases share, are from the appendix C of Brown et al. (2020), Language
Models are Few-Shot Learners. The join by shares is exact: the prefix filter of Chaudhuri et al. (2006), A Primitive
Operator for Similarity Joins in Data Cleaning.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

from gatewheel.kernel.nouns import Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder, Vectors

LONG = 13  # words of a run that two texts do not share by chance
SHORT = 5
LEAST_SHARE = 0.8  # of the 5-word runs of both
LEAST_COSINE = 0.95
LEAST_RUNS = 0.5  # of the 13-word runs of the shorter one, to be near; fewer are still told
FORMULA = 10  # a run in more questions of one set than this is how they are put, not what they ask
_ROWS = 2_048  # of a block of cosines: 16 MiB
_WORD = re.compile(r"\w+")

Kind = Literal["run", "words", "vector"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """Two cases by their places in the sets that were compared.

    `score` is, of a `run`, how many 13-word runs they share, as a share of the shorter one's; of `words`, the Jaccard
    similarity of their 5-word runs; of a `vector`, the cosine.
    """

    a: int
    b: int
    kind: Kind
    score: float


def asked(case: Case) -> str:
    """What a case asks, as one text: turns of the user, question, choices."""
    turns = [message.content for message in case.history if message.role == "user"]
    return "\n".join([*turns, case.question, *case.choices])


def is_near(hit: Hit) -> bool:
    """Whether the two are nearly the same, and do not only have a run of words in common."""
    return hit.kind != "run" or hit.score >= LEAST_RUNS


def grams(text: str, n: int = LONG) -> set[str]:
    """The runs of n words of a text; a shorter text is one run, a text without words none."""
    words = _words(text)
    if not words:
        return set()
    return {" ".join(words[at : at + n]) for at in range(max(1, len(words) - n + 1))}


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def between(a: Sequence[Case], b: Sequence[Case], *, encoder: Encoder | None = None) -> list[Hit]:
    """Every pair of a case of one set and a case of another that have something in common, once for each way to tell.

    Vectors are compared only with an encoder.
    """
    hits = list(_worded(a, b))
    if encoder is not None and a and b:
        hits += _near(_encoded(a, encoder), _encoded(b, encoder))
    return sorted((hit for hit in hits if _same_context(a[hit.a], b[hit.b])), key=lambda hit: (hit.a, hit.b, hit.kind))


def within(cases: Sequence[Case], *, encoder: Encoder | None = None) -> list[Hit]:
    """Every pair of cases of one set that have something in common, `a` before `b`, once for each way to tell."""
    hits = list(_worded(cases, cases))
    if encoder is not None and cases:
        vectors = _encoded(cases, encoder)
        hits += _near(vectors, vectors)
    pairs = (hit for hit in hits if hit.a < hit.b and _same_context(cases[hit.a], cases[hit.b]))
    return sorted(pairs, key=lambda hit: (hit.a, hit.b, hit.kind))


def _worded(a: Sequence[Case], b: Sequence[Case]) -> Iterator[Hit]:
    """Each question is compared once, however many cases ask it, so that what is asked often makes no formula."""
    left, right = _questions(a), _questions(b)
    one, other = [[cases[places[0]] for places in asking.values()] for cases, asking in ((a, left), (b, right))]
    places, others = list(left.values()), list(right.values())
    for hit in {*_equal(left, right), *_runs(one, other), *_shares(one, other)}:
        for x, y in product(places[hit.a], others[hit.b]):
            yield replace(hit, a=x, b=y)


def _questions(cases: Sequence[Case]) -> dict[tuple[str, str], list[int]]:
    """The places of the cases that ask the same of one context."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, case in enumerate(cases):
        found.setdefault((" ".join(_words(asked(case))), case.context), []).append(place)
    return found


def _equal(left: Iterable[tuple[str, str]], right: Iterable[tuple[str, str]]) -> Iterator[Hit]:
    """The same question is the same, though every run of it were a formula."""
    places = {question: place for place, question in enumerate(right)}
    for place, question in enumerate(left):
        if question[0] and question in places:
            yield Hit(a=place, b=places[question], kind="words", score=1.0)


def _runs(a: Sequence[Case], b: Sequence[Case]) -> Iterator[Hit]:
    left, right = [[grams(asked(case)) for case in cases] for cases in (a, b)]
    often = _formulas(left) | _formulas(right)
    places: dict[str, list[int]] = defaultdict(list)
    for place, found in enumerate(right):
        for gram in found - often:
            places[gram].append(place)
    for place, found in enumerate(left):
        shared = Counter(other for gram in found - often for other in places.get(gram, ()))
        for other, count in shared.items():
            yield Hit(a=place, b=other, kind="run", score=count / min(len(found), len(right[other])))


def _shares(a: Sequence[Case], b: Sequence[Case]) -> Iterator[Hit]:
    left, right = [[grams(asked(case), SHORT) for case in cases] for cases in (a, b)]
    often = _formulas(left) | _formulas(right)
    left, right = [[found - often for found in each] for each in (left, right)]
    counts = Counter(gram for each in (left, right) for found in each for gram in found)
    places: dict[str, list[int]] = defaultdict(list)
    for place, found in enumerate(right):
        for gram in _prefix(found, counts):
            places[gram].append(place)
    for place, found in enumerate(left):
        for other in {other for gram in _prefix(found, counts) for other in places.get(gram, ())}:
            share = len(found & right[other]) / len(found | right[other])
            if share >= LEAST_SHARE:
                yield Hit(a=place, b=other, kind="words", score=share)


def _formulas(sets: Sequence[set[str]]) -> set[str]:
    return {gram for gram, count in Counter(gram for found in sets for gram in found).items() if count > FORMULA}


def _prefix(found: set[str], counts: Counter[str]) -> list[str]:
    """The rarest runs, so many that a pair which shares none of them falls short of the least share."""
    size = len(found) - math.ceil(LEAST_SHARE * len(found) - 1e-9) + 1
    return sorted(found, key=lambda gram: (counts[gram], gram))[:size]


def _near(left: Vectors, right: Vectors) -> Iterator[Hit]:
    import numpy as np

    for at in range(0, len(left), _ROWS):
        for to in range(0, len(right), _ROWS):
            cosines = left[at : at + _ROWS] @ right[to : to + _ROWS].T
            for a, b in np.argwhere(cosines >= LEAST_COSINE).tolist():
                yield Hit(a=at + a, b=to + b, kind="vector", score=min(1.0, float(cosines[a, b])))


def _encoded(cases: Sequence[Case], encoder: Encoder) -> Vectors:
    return encoder.encode([asked(case) for case in cases])


def _same_context(a: Case, b: Case) -> bool:
    """Whether the contexts are nearly the same; one that is not given could be any."""
    if not a.context or not b.context or a.context == b.context:
        return True
    left, right = grams(a.context, SHORT), grams(b.context, SHORT)
    return len(left & right) >= LEAST_SHARE * len(left | right)
