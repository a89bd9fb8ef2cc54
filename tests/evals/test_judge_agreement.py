"""Agreement of a judge with people: the textbook's kappa, and an interval that a handful of answers cannot fool."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest

from gatewheel.evals.judge_agreement import Rated, agreement, concordance, moved
from gatewheel.evals.statistics.agreement import cohen


def rated(people: Any, judge: Any, *, clusters: Any = None) -> list[Rated]:
    return [
        Rated(
            item=str(at),
            cluster=str(clusters[at]) if clusters is not None else str(at),
            people=dict(enumerate(grades)) if isinstance(grades, list) else {"Ada": float(grades)},  # type: ignore[arg-type]
            judged=None if said is None else float(said),
        )
        for at, (grades, said) in enumerate(zip(people, judge, strict=True))
    ]


def test_it_is_kappa_weighted_by_squares() -> None:
    rng = np.random.default_rng(1)
    people = rng.integers(1, 5, 200)
    judge = np.clip(people + rng.integers(-1, 2, 200), 1, 4)
    assert agreement(rated(people, judge), yes_no=False).kappa == pytest.approx(
        cohen(people.tolist(), judge.tolist(), weights="quadratic")
    )
    votes, said = people > 2, judge > 2
    found = agreement(rated(votes, said), yes_no=True)
    assert found.kappa == pytest.approx(cohen(votes.tolist(), said.tolist()))
    assert found.accuracy == pytest.approx((votes == said).mean())


@pytest.mark.parametrize("truth", [0.3, 0.7])
def test_its_interval_covers_what_it_is(truth: float) -> None:
    rng, covered, suites = np.random.default_rng(2), 0, 50
    mixed = rng.normal(size=(200_000, 2))

    def grades(z: Any) -> Any:
        return np.clip(np.round(z + 2.5), 1, 4)

    def pairs(z: Any) -> Any:
        return grades(np.column_stack([z[:, 0], truth * z[:, 0] + np.sqrt(1 - truth**2) * z[:, 1]]))

    whole = concordance(pairs(mixed))
    for _ in range(suites):
        rows = pairs(rng.normal(size=(80, 2)))
        found = agreement(rated(rows[:, 0], rows[:, 1]), yes_no=False).interval
        covered += found.low <= whole <= found.high
    assert covered / suites >= 0.9


def test_few_answers_without_a_disagreement_do_not_reach_a_bar() -> None:
    lows = []
    for n in (4, 8, 16, 60):
        grades = [1 + at % 4 for at in range(n)]
        found = agreement(rated(grades, grades), yes_no=False)
        assert found.kappa == pytest.approx(1)
        lows.append(found.interval.low)
    assert lows == sorted(lows)
    assert lows[0] < 0.6 < lows[2] < lows[3] < 1
    copies = agreement(rated([1, 2, 3, 4] * 15, [1, 2, 3, 4] * 15, clusters=[0, 1, 2, 3] * 15), yes_no=False)
    assert copies.interval.low < 0.6, "sixty answers to four questions are four"


def test_who_knows_nothing_and_who_says_nothing() -> None:
    people = [1 + at % 4 for at in range(60)]
    assert agreement(rated(people, [3] * 60), yes_no=False).kappa == 0
    alike = agreement(rated([4] * 60, [4] * 60), yes_no=False)
    assert (isnan(alike.kappa), alike.interval.low, alike.reaches(0.1)) == (True, -1.0, False)
    silent = agreement(rated(people, [None if at % 5 == 0 else grade for at, grade in enumerate(people)]), yes_no=False)
    assert (silent.silent, silent.interval.low > 0.6, silent.reaches(0.6)) == (12, True, False)
    nobody = agreement(rated(people, [None] * 60), yes_no=False)
    assert not nobody.reaches(0.1)


def test_people_are_the_ceiling() -> None:
    people = [[1 + at % 4, min(4, 1 + at % 4 + (at % 3 == 0))] for at in range(60)]
    found = agreement(rated(people, [one[0] for one in people]), yes_no=False)
    assert found.raters == 2
    assert 0.5 < found.person < 1
    assert found.alpha_interval.low < found.alpha < found.alpha_interval.high


def test_what_moved_is_seen_on_the_same_answers() -> None:
    people = [1 + at % 4 for at in range(60)]
    good, bad = rated(people, people), rated(people, [5 - one if at % 2 else one for at, one in enumerate(people)])
    found = moved(good, bad)
    assert found is not None
    assert found.interval.high < 0
    assert found.p < 0.01
    same = moved(bad, bad)
    assert same is not None
    assert (same.difference, same.conclusion.word) == (0.0, "inconclusive")
    alike = rated([4] * 12, [4] * 12)
    assert moved(alike, alike) is None, "where all say the same, nobody knows how far they agree"
    assert moved(good, [Rated(item="another", cluster="", people={"Ada": 1.0}, judged=1.0)]) is None
