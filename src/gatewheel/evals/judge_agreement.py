"""How far a judge agrees with people on answers that they graded, beside how far people agree with each other.

Agreement is kappa weighted by squares (Cohen 1968) between the judge and the mean of the people. Computed from the
grades themselves, as here, it is the same as the concordance of Lin (1989), so means between two grades are welcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from gatewheel.evals.statistics.agreement import cautious, krippendorff, krippendorff_interval
from gatewheel.evals.statistics.intervals import Interval, bootstrap
from gatewheel.evals.statistics.pairs import Paired, compare

if TYPE_CHECKING:
    from gatewheel.evals.statistics.clusters import Floats

SILENT = 0.1  # share of answers without a verdict beyond which what is left is a choice of the judge's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Rated:
    """An answer with the grades of people, by rater, and what the judge said of it, None where it gave no verdict.

    `steady` is the share of the judge's verdicts that say what they come to.
    """

    item: str
    cluster: str
    people: Mapping[str, float] = field(default_factory=dict)
    judged: float | None = None
    steady: float = 1.0

    @property
    def consensus(self) -> float:
        """The mean of the people."""
        return sum(self.people.values()) / len(self.people)


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Of a judge with people over `answers`, of which it gave `silent` no verdict. What is not known is not a number.

    `kappa` is weighted by squares. `spearman` is of ranks; `accuracy` of yes or no, else not a number. `alpha` is
    Krippendorff's of the people (ordinal) and `person` the kappa of one of them with the mean of the others: what a
    judge can reach. `steady` is the share of verdicts that say what they come to.
    """

    answers: int
    silent: int
    raters: int
    kappa: float
    interval: Interval
    spearman: float
    accuracy: float
    alpha: float
    alpha_interval: Interval
    person: float
    steady: float

    def reaches(self, bar: float) -> bool:
        """Whether the judge may count: the lower end is at or above the bar, and it does not keep silent."""
        return self.silent <= SILENT * self.answers and self.interval.low >= bar


def concordance(rows: Floats) -> float:
    """Kappa weighted by squares of two columns; 0 where one says the same of all, NaN where both say one thing.

    >>> concordance(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 2.0]]))
    0.75...
    """
    by_chance = _by_chance(rows)
    shared = float(((rows[:, 0] - rows[:, 0].mean()) * (rows[:, 1] - rows[:, 1].mean())).mean())
    return 2 * shared / by_chance if by_chance > 0 else nan


def agreement(rated: Sequence[Rated], *, yes_no: bool, level: float = 0.95) -> Agreement:
    """Of a judge with people. Whole clusters are drawn for the intervals."""
    heard = [one for one in rated if one.judged is not None]
    rows = np.array([[one.consensus, one.judged] for one in heard], np.float64).reshape(-1, 2)
    clusters = [one.cluster for one in heard]
    raters = sorted({rater for one in rated for rater in one.people})
    ratings = np.array([[one.people.get(rater, nan) for rater in raters] for one in rated], np.float64)
    ratings = ratings.reshape(len(rated), len(raters))
    return Agreement(
        answers=len(rated),
        silent=len(rated) - len(heard),
        raters=len(raters),
        kappa=concordance(rows) if len(rows) else nan,
        interval=_interval(rows, clusters, level),
        spearman=_spearman(rows),
        accuracy=_accuracy(rows) if yes_no else nan,
        alpha=krippendorff(ratings, scale="ordinal"),
        alpha_interval=krippendorff_interval(
            ratings, scale="ordinal", clusters=[one.cluster for one in rated], level=level
        ),
        person=_person(rated),
        steady=float(np.mean([one.steady for one in heard])) if heard else nan,
    )


def moved(before: Sequence[Rated], after: Sequence[Rated], *, level: float = 0.95) -> Paired | None:
    """How agreement differs now on the answers that were judged both times.

    None where there are none, and where all say the same of them, so that nobody knows how far they agree.
    """
    then = {one.item: one for one in before if one.judged is not None}
    both = [(then[one.item], one) for one in after if one.judged is not None and one.item in then]
    if not both:
        return None
    a, b = (np.array([[pair[at].consensus, pair[at].judged] for pair in both], np.float64) for at in (0, 1))
    if not isfinite(concordance(a)) or not isfinite(concordance(b)):
        return None
    clusters = [one.cluster for _, one in both]
    return compare(a, b, concordance, clusters=clusters, bounds=(-1.0, 1.0), level=level)


def _interval(rows: Floats, clusters: Sequence[str], level: float) -> Interval:
    """By the bootstrap, and cautious where only a handful of answers tells of a disagreement."""
    if len(rows) < 2:
        return Interval(-1.0, 1.0, level, "too few answers")
    whole = concordance(rows)
    if not isfinite(whole):
        return Interval(-1.0, 1.0, level, "all say the same")
    found = bootstrap(rows, concordance, clusters=clusters, level=level)
    return cautious(found, np.square(rows[:, 0] - rows[:, 1]) / _by_chance(rows), clusters)


def _by_chance(rows: Floats) -> float:
    """The mean squared distance of both columns if they had nothing to do with each other."""
    return float(rows.var(0).sum() + (rows[:, 0].mean() - rows[:, 1].mean()) ** 2)


def _spearman(rows: Floats) -> float:
    from scipy.stats import spearmanr

    if len(rows) < 3 or not rows.var(0).all():
        return nan
    return float(spearmanr(rows[:, 0], rows[:, 1]).statistic)


def _accuracy(rows: Floats) -> float:
    """Over answers on which most people said the same."""
    told = rows[rows[:, 0] != 0.5]
    return float(((told[:, 0] > 0.5) == (told[:, 1] > 0.5)).mean()) if len(told) else nan


def _person(rated: Sequence[Rated]) -> float:
    pairs = [
        [sum(others) / len(others), grade]
        for one in rated
        for rater, grade in one.people.items()
        if (others := [said for name, said in one.people.items() if name != rater])
    ]
    return concordance(np.array(pairs, np.float64)) if pairs else nan
