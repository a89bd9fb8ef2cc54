"""Cases that are nearly the same: by runs of 13 words, by the share of 5-word runs, by the cosine of their vectors.

What is compared is what is asked: turns of the user, question, choices. Two that ask alike about different contexts
are different cases. Words are compared without case and punctuation; in scripts without spaces each sign is one.

The 13-word runs, and leaving out those that many cases share, are from the appendix C of Brown et al. (2020), Language
Models are Few-Shot Learners. The join by shares is exact: the prefix filter of Chaudhuri et al. (2006), A Primitive
Operator for Similarity Joins in Data Cleaning.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from gatewheel.kernel.nouns import Case
from gatewheel.kernel.scripts import UNSPACED

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder, Vectors

LONG = 13  # words of a run that two texts do not share by chance
SHORT = 5
LEAST_SHARE = 0.8  # of the 5-word runs of both
LEAST_COSINE = 0.95
LEAST_RUNS = 0.5  # of the 13-word runs of the shorter one, to be near; fewer are still told
FORMULA = 10  # a run in more questions of one set than this is how they are put, not what they ask
_ROWS = 2_048  # of a block of cosines: 16 MiB
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")

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
    said = words(text)
    if not said:
        return set()
    return {" ".join(said[at : at + n]) for at in range(max(1, len(said) - n + 1))}


def words(text: str) -> list[str]:
    """The words of a text as they are compared; in scripts that set no spaces each sign is one."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def closest(
    a: Sequence[Case], b: Sequence[Case], *, encoder: Encoder | None = None, tick: Callable[[], None] = lambda: None
) -> list[Hit]:
    """For each case of one set the case of another that it has most in common with, for each way to tell.

    The first of several alike; in the order of the places in `a`. `tick` is called now and then.
    """
    best: dict[tuple[int, Kind], Hit] = {}
    for some, others, kind, score in _found(a, b, encoder, tick):
        for place in some:
            known = best.get((place, kind))
            if known is None or (score, -others[0]) > (known.score, -known.b):
                best[place, kind] = Hit(a=place, b=others[0], kind=kind, score=score)
    return [best[key] for key in sorted(best)]


def within(cases: Sequence[Case], *, encoder: Encoder | None = None) -> list[Hit]:
    """Every pair of cases of one set that have something in common, `a` before `b`, once for each way to tell."""
    hits = [
        Hit(a=a, b=b, kind=kind, score=score)
        for some, others, kind, score in _found(cases, cases, encoder)
        for a, b in product(some, others)
        if a < b
    ]
    return sorted(hits, key=lambda hit: (hit.a, hit.b, hit.kind))


def _found(
    a: Sequence[Case], b: Sequence[Case], encoder: Encoder | None, tick: Callable[[], None] = lambda: None
) -> Iterator[tuple[list[int], list[int], Kind, float]]:
    """Places of cases that ask the same, and of those of the other set to which each of them has this in common.

    Each question is compared once, however many cases ask it: what is asked often makes no formula, and takes no time.
    """
    for some, others, kind, score in _worded(a, b):
        if _same_context(a[some[0]], b[others[0]]):
            yield some, others, kind, score
    if encoder is not None and a and b:
        yield from _by_vectors(a, b, encoder, tick)


def _worded(a: Sequence[Case], b: Sequence[Case]) -> Iterator[tuple[list[int], list[int], Kind, float]]:
    left, right = _questions(a), _questions(b)
    one, other = [[cases[places[0]] for places in asking.values()] for cases, asking in ((a, left), (b, right))]
    places, others = list(left.values()), list(right.values())
    for hit in {*_equal(left, right), *_runs(one, other), *_shares(one, other)}:
        yield places[hit.a], others[hit.b], hit.kind, hit.score


def _questions(cases: Sequence[Case]) -> dict[tuple[str, str], list[int]]:
    """The places of the cases that ask the same of one context."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, case in enumerate(cases):
        found.setdefault((" ".join(words(asked(case))), case.context), []).append(place)
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
    for place, other, share in _joined(left, right):
        yield Hit(a=place, b=other, kind="words", score=share)


def _joined(left: Sequence[set[Any]], right: Iterable[set[Any]]) -> Iterator[tuple[int, int, float]]:
    """The places of each two sets that share so much of both, and how much. Of the right ones only that is kept."""
    known = set().union(*left)
    kept = [(len(found), found & known) for found in right]
    counts = Counter(gram for _, found in kept for gram in found)
    places: dict[Any, list[int]] = defaultdict(list)
    for place, (size, found) in enumerate(kept):
        for gram in _prefix(found, size, counts):
            places[gram].append(place)
    for place, found in enumerate(left):
        for other in {other for gram in _prefix(found, len(found), counts) for other in places.get(gram, ())}:
            both = len(found & kept[other][1])
            share = both / (len(found) + kept[other][0] - both)
            if share >= LEAST_SHARE:
                yield place, other, share


def _formulas(sets: Sequence[set[str]]) -> set[str]:
    return {gram for gram, count in Counter(gram for found in sets for gram in found).items() if count > FORMULA}


def _prefix(found: set[Any], size: int, counts: Counter[Any]) -> list[Any]:
    """The rarest runs, so many that a pair which shares none of them falls short of the least share.

    Of a set of this size the runs that are not in `found` are shared by nobody: they are the rarest.
    """
    most = len(found) - math.ceil(LEAST_SHARE * size - 1e-9) + 1
    return sorted(found, key=lambda gram: (counts[gram], gram))[: max(0, most)]


def _by_vectors(
    a: Sequence[Case], b: Sequence[Case], encoder: Encoder, tick: Callable[[], None]
) -> Iterator[tuple[list[int], list[int], Kind, float]]:
    left, right = _texts(a), _texts(b)
    one, other = [*left.values()], [*right.values()]
    pairs: Iterable[tuple[int, int, float]] = _near(encoder.encode([*left]), encoder.encode([*right]), tick)
    alike: dict[str, list[str]] = {}
    if any(case.context for case in a) and any(case.context for case in b):
        pairs = [*pairs]
        mine = {context for place, _, _ in pairs for context in one[place]}
        alike = _alike(mine, {context for _, place, _ in pairs for context in other[place]})
    for x, y, cosine in pairs:
        tick()
        for context, places in one[x].items():
            for known in alike.get(context, ("", context)) if context else other[y]:
                if known in other[y]:
                    yield places, other[y][known], "vector", cosine


def _texts(cases: Sequence[Case]) -> dict[str, dict[str, list[int]]]:
    """What is asked → the contexts that it is asked of → the places of the cases."""
    found: dict[str, dict[str, list[int]]] = {}
    for place, case in enumerate(cases):
        found.setdefault(asked(case), {}).setdefault(case.context, []).append(place)
    return found


def _alike(some: Iterable[str], others: Iterable[str]) -> dict[str, list[str]]:
    """For each context those of the others that may be the same: itself, what is nearly so, and "", not given."""
    a, b = sorted(some), sorted(others)
    found = {context: ["", context] for context in a}
    left, right = [
        (set(map(hash, grams(context, SHORT))) for context in each) for each in (a, b)
    ]  # a third less memory than texts
    for x, y, _ in _joined([*left], right):
        if a[x] != b[y]:
            found[a[x]].append(b[y])
    return found


def _near(left: Vectors, right: Vectors, tick: Callable[[], None]) -> Iterator[tuple[int, int, float]]:
    import numpy as np

    for at in range(0, len(left), _ROWS):
        for to in range(0, len(right), _ROWS):
            tick()
            cosines = left[at : at + _ROWS] @ right[to : to + _ROWS].T
            a, b = np.nonzero(cosines >= LEAST_COSINE)
            for x, y, cosine in zip(a, b, cosines[a, b], strict=True):
                yield at + int(x), to + int(y), min(1.0, float(cosine))


def _same_context(a: Case, b: Case) -> bool:
    """Whether the contexts are nearly the same; one that is not given could be any."""
    if not a.context or not b.context or a.context == b.context:
        return True
    left, right = grams(a.context, SHORT), grams(b.context, SHORT)
    return len(left & right) >= LEAST_SHARE * len(left | right)
