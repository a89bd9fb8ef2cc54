"""Labels of people: what is still to be labelled, blind and by lot; agreement, ranking and preferences.

Whose an answer is can be read neither from its side nor from the order of cases: both come from a digest of the suite,
the rater and what is compared, so that they are the same whenever the rater comes back, and differ between raters.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Literal

import numpy as np

from gatewheel.evals.statistics.agreement import Scale, cohen, krippendorff, krippendorff_interval
from gatewheel.evals.statistics.intervals import Interval, interval
from gatewheel.evals.statistics.ranking import Match, Ranked, rank
from gatewheel.evals.statistics.resampling import plain_mean
from gatewheel.kernel.errors import UserError

Better = Literal["", "a", "b", "tie"]

PLACES: Mapping[str, float] = {"a": 0.0, "tie": 0.5, "b": 1.0}
QUESTION = "better"  # what agreement on pairs goes by, beside the names of criteria
_CRITERION = re.compile(r"([^\W\d][\w-]{0,31})=(\d)-(\d)")


@dataclass(frozen=True, order=True, slots=True)
class Side:
    """Who answered: a variant, at a state of the documents, which is empty where none were used."""

    variant: str
    corpus: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """What is labelled: the answer of `a` to a case by a rubric, or which of the answers of `a` and `b` is better.

    Of a case that was asked several times they are those of the `repeat`-th time, from 0.
    """

    case: str
    a: Side
    b: Side | None = None
    repeat: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Blind:
    """An item as a rater sees it: `sides` in the order of the screen."""

    item: Item
    swapped: bool = False

    @property
    def sides(self) -> tuple[Side, ...]:
        """Whose answers are shown, the first one first."""
        found = tuple(side for side in (self.item.a, self.item.b) if side is not None)
        return found[::-1] if self.swapped else found

    def better(self, place: int) -> Better:
        """What it means that the first (1) or the second (2) on the screen is better, or neither (0)."""
        return "tie" if not place else "b" if (place == 2) != self.swapped else "a"

    def place(self, better: Better) -> int:
        """The other way round: which one on the screen was said to be better, 0 for a tie."""
        return 0 if better == "tie" else 1 if (better == "a") != self.swapped else 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What a rater said of an item: which is `better`, or by a rubric a score for each criterion."""

    item: Item
    rater: str
    better: Better = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    comment: str = ""
    created: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """One line of a rubric: whole numbers from `low` to `high`, each one key."""

    name: str
    low: int
    high: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """How far raters agree on `question`: "better" or a criterion. `units` were rated by two raters or more.

    `kappa` is Cohen's where two rated, else not a number; weighted by squares on the ordinal scale.
    """

    question: str
    scale: Scale
    raters: tuple[str, ...]
    units: int
    kappa: float
    alpha: float
    interval: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """What raters of a pair preferred, and how many did and did not."""

    case: str
    chosen: Side
    rejected: Side
    votes: int
    against: int
    repeat: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """What the answers of a variant got on a criterion: the mean of `items`, each by the mean of its raters."""

    variant: str
    criterion: str
    mean: float
    interval: Interval
    items: int


def rubric(text: str) -> tuple[Criterion, ...]:
    """Criteria from "faithful=1-4,complete=1-4". Raises UserError.

    >>> rubric("faithful=1-4")
    (Criterion(name='faithful', low=1, high=4),)
    """
    made: dict[str, Criterion] = {}
    for said in text.split(","):
        found = _CRITERION.fullmatch(said.strip())
        if not found or int(found[2]) >= int(found[3]) or found[1] in made:
            raise UserError(f"'{said.strip()[:80]}' is no criterion", cure="write faithful=1-4,complete=1-4, each once")
        made[found[1]] = Criterion(name=found[1], low=int(found[2]), high=int(found[3]))
    return tuple(made.values())


def pair(case: str, first: Side, second: Side, *, repeat: int = 0) -> Blind:
    """Two answers in this order. The item is the same in both orders, so that a label is found again."""
    a, b = sorted((first, second))
    return Blind(item=Item(case=case, a=a, b=b, repeat=repeat), swapped=first != a)


def identity(suite: str, label: Label) -> str:
    """The id of a label, 64 hexadecimal digits: another of the same item, rater and criteria takes its place."""
    return _digest(suite, label.item, label.rater, *sorted(label.scores))


def token(suite: str, item: Item) -> str:
    """A name of an item, 24 hexadecimal digits, that does not tell whose answers it is of."""
    return _digest("item", suite, item)[:24]


def lots(items: Iterable[Item], *, suite: str, rater: str) -> list[Blind]:
    """Items in the rater's own order, the sides swapped by lot.

    Single answers to one case follow each other: a gate counts the cases of which both answers are graded.
    """

    def place(item: Item) -> tuple[str, str]:
        return _digest("order", suite, item if item.b else item.case, rater), _digest("order", suite, item, rater)

    return [
        Blind(item=item, swapped=item.b is not None and int(_digest("side", suite, item, rater), 16) % 2 == 1)
        for item in sorted(items, key=place)
    ]


def waiting(
    drawn: Iterable[Blind], labels: Iterable[Label], *, rater: str, criteria: Iterable[str] = ()
) -> list[Blind]:
    """Those that the rater has not labelled yet, by these criteria where there are any."""
    wanted = frozenset(criteria)
    done = {label.item for label in labels if label.rater == rater and frozenset(label.scores) == wanted}
    return [blind for blind in drawn if blind.item not in done]


def agreement(labels: Iterable[Label], clusters: Mapping[str, str]) -> tuple[Agreed, ...]:
    """How far raters agree, on pairs and on each criterion; empty where no two raters saw the same.

    `clusters` leads from a case to its cluster; a case that is not in it is its own. Of two labels of a rater the
    later counts.
    """
    rated: dict[str, dict[Item, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for label in sorted(labels, key=lambda label: label.created):
        values = {QUESTION: PLACES[label.better]} if label.better else label.scores
        for question, value in values.items():
            rated[question][label.item][label.rater] = value
    found = (_agreed(question, units, clusters) for question, units in sorted(rated.items()))
    return tuple(one for one in found if one.units)


def ranking(labels: Iterable[Label], clusters: Mapping[str, str], *, level: float = 0.95) -> tuple[Ranked, ...]:
    """All variants that were compared, the strongest first. What was said of one case, or cluster, hangs together."""
    matches = [
        Match(item.a.variant, item.b.variant, 1 - PLACES[label.better], clusters.get(item.case, item.case))
        for label in labels
        if label.better and (item := label.item).b and item.a.variant != item.b.variant
    ]
    return rank(matches, level=level)


def preferences(labels: Iterable[Label]) -> list[Preference]:
    """Which of each pair more raters preferred than the other, in the order of cases.

    Left out are pairs on which they are split, and those that more of them called a tie.
    """
    votes: dict[Item, Counter[str]] = defaultdict(Counter)
    for label in labels:
        if label.better:
            votes[label.item][label.better] += 1
    made = []
    for item, said in votes.items():
        most = max(said["a"], said["b"])
        if item.b is None or said["a"] == said["b"] or most < said["tie"]:
            continue
        chosen, rejected = (item.a, item.b) if said["a"] > said["b"] else (item.b, item.a)
        made.append(
            Preference(
                case=item.case,
                chosen=chosen,
                rejected=rejected,
                votes=most,
                against=said.total() - most,
                repeat=item.repeat,
            )
        )
    return sorted(made, key=lambda one: (one.case, one.repeat, one.chosen, one.rejected))


def grades(labels: Iterable[Label], criteria: Iterable[Criterion], clusters: Mapping[str, str]) -> tuple[Graded, ...]:
    """What variants got on each criterion, the best first; empty where nobody graded."""
    labels = [label for label in labels if label.scores]
    made = []
    for one in criteria:
        rated: dict[Item, list[float]] = defaultdict(list)
        for label in labels:
            if one.name in label.scores:
                rated[label.item].append(label.scores[one.name])
        found = [_graded(one, variant, rated, clusters) for variant in sorted({item.a.variant for item in rated})]
        made += sorted(found, key=lambda graded: -graded.mean)
    return tuple(made)


def _graded(one: Criterion, variant: str, rated: Mapping[Item, Sequence[float]], clusters: Mapping[str, str]) -> Graded:
    mine = {item: float(np.mean(scores)) for item, scores in rated.items() if item.a.variant == variant}
    rows = np.array(list(mine.values()), np.float64).reshape(-1, 1)
    names = [clusters.get(item.case, item.case) for item in mine]
    found = interval(rows, plain_mean, clusters=names, bounds=(one.low, one.high))
    return Graded(variant=variant, criterion=one.name, mean=float(rows.mean()), interval=found, items=len(mine))


def _agreed(question: str, rated: Mapping[Item, Mapping[str, float]], clusters: Mapping[str, str]) -> Agreed:
    units = {item: said for item, said in rated.items() if len(said) > 1}
    raters = sorted({rater for said in units.values() for rater in said})
    scale: Scale = "nominal" if question == QUESTION else "ordinal"
    ratings = np.array([[said.get(rater, nan) for rater in raters] for said in units.values()], np.float64)
    ratings = ratings.reshape(len(units), len(raters))
    kappa = nan
    if len(raters) == 2:
        kappa = cohen(*ratings.T.tolist(), weights="nominal" if scale == "nominal" else "quadratic")
    names = [clusters.get(item.case, item.case) for item in units]
    return Agreed(
        question=question,
        scale=scale,
        raters=tuple(raters),
        units=len(units),
        kappa=kappa,
        alpha=krippendorff(ratings, scale=scale),
        interval=krippendorff_interval(ratings, scale=scale, clusters=names),
    )


def _digest(*said: str | Item) -> str:
    plain = [_plain(one) if isinstance(one, Item) else one for one in said]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(item: Item) -> Sequence[str]:
    sides = [item.a, *([item.b] if item.b else [])]
    times = [f"#{item.repeat}"] if item.repeat else []
    return [item.case, *(text for side in sides for text in (side.variant, side.corpus)), *times]
