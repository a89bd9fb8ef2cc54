"""Agreement is that of the textbooks; a ranking finds the order it was drawn from and says how sure it is."""

from __future__ import annotations

from math import isinf, isnan, log, nan

import numpy as np
import pytest

from gatewheel.evals.statistics.agreement import cohen, krippendorff, krippendorff_interval
from gatewheel.evals.statistics.ranking import Match, rank

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", data C: four observers, twelve units
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_the_published_one(scale: str, alpha: float) -> None:
    assert krippendorff(OBSERVERS.T, scale=scale) == pytest.approx(alpha, abs=5e-4)  # type: ignore[arg-type]


def test_kappa_is_worked_by_hand() -> None:
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen(a, b) == pytest.approx(0.4)
    # three grades: observed disagreement 2 places in 4, by chance (1·1·1 + 1·1·2 + …) as counted below
    grades = ([1, 2, 3, 3], [1, 3, 3, 2])
    by_chance = sum(abs(x - y) for x in grades[0] for y in grades[1]) / 16
    assert cohen(*grades, weights="linear") == pytest.approx(1 - (2 / 4) / by_chance)
    assert cohen([1, 2, 3], [1, 2, 3], weights="quadratic") == 1


def test_agreement_without_any_difference_is_not_a_number() -> None:
    assert isnan(cohen([1, 1], [1, 1]))
    assert isnan(krippendorff(np.ones((3, 2))))
    assert isnan(krippendorff(np.array([[1.0, nan], [nan, 2.0]])))


def test_agreement_by_chance_is_about_zero_with_zero_in_its_interval() -> None:
    ratings = np.random.default_rng(0).integers(0, 3, (150, 3)).astype(float)
    alpha = krippendorff(ratings)
    found = krippendorff_interval(ratings)
    assert abs(alpha) < 0.1
    assert found.low < 0 < found.high
    assert found.low < alpha < found.high
    assert type(found.low) is type(alpha) is float, "reports are written as JSON"


def test_a_few_units_without_a_disagreement_are_no_proof_and_no_agreement_is_above_one() -> None:
    few = krippendorff_interval(np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]))
    assert few.low < 0.6
    assert few.high <= 1
    many = krippendorff_interval(np.tile([[1.0, 1.0], [2.0, 2.0]], (200, 1)))
    assert 0.95 < many.low < 1
    published = krippendorff_interval(OBSERVERS.T)
    assert published.low < 0.743 < published.high <= 1
    assert isnan(krippendorff_interval(np.ones((3, 2))).low)


def matches(rng: np.random.Generator, strengths: dict[str, float], n: int) -> list[Match]:
    names = list(strengths)
    found = []
    for _ in range(n):
        first, second = rng.choice(names, 2, replace=False)
        chance = 1 / (1 + np.exp(strengths[second] - strengths[first]))
        found.append(Match(str(first), str(second), float(rng.random() < chance)))
    return found


def test_two_players_have_the_odds_of_their_wins() -> None:
    played = [Match("a", "b", 1.0)] * 300 + [Match("b", "a", 1.0)] * 100
    ranked = rank(played)
    assert [one.name for one in ranked] == ["a", "b"]
    assert ranked[0].strength - ranked[1].strength == pytest.approx(log(3), abs=0.01)
    assert ranked[0].strength + ranked[1].strength == pytest.approx(0)
    assert ranked[0].matches == 400
    assert ranked[1].interval.high < 0 < ranked[0].interval.low


def test_a_ranking_finds_the_order_and_covers_the_strengths() -> None:
    strengths = {"a": 1.0, "b": 0.3, "c": -0.3, "d": -1.0}
    covered = []
    for seed in range(12):
        ranked = rank(matches(np.random.default_rng(seed), strengths, 240), seed=seed)
        covered += [one.interval.low <= strengths[one.name] <= one.interval.high for one in ranked]
    assert 0.9 <= np.mean(covered) <= 1
    assert [one.name for one in ranked] == ["a", "b", "c", "d"]


def test_who_never_lost_is_strong_but_not_infinite() -> None:
    ranked = rank([Match("a", "b", 1.0)] * 10 + [Match("b", "c", 0.5)] * 10)
    assert 1 < ranked[0].strength < 10
    assert ranked[0].name == "a"


def test_matches_of_one_person_are_one_opinion() -> None:
    rng = np.random.default_rng(0)
    alone = matches(rng, {"a": 0.5, "b": -0.5}, 100)
    one = [Match(m.first, m.second, m.outcome, cluster="Ada") for m in alone]
    assert isinf(rank(one)[0].interval.high)
    five = [Match(m.first, m.second, m.outcome, cluster=str(i % 5)) for i, m in enumerate(alone)]
    assert np.isfinite(rank(five)[0].interval.high)


def test_no_matches_make_no_ranking() -> None:
    assert rank([]) == ()
