"""Corrected judgements cover the truth however the judge errs, are no wider than labels, and match the reference."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gatewheel.evals.statistics import ppi
from gatewheel.evals.statistics.intervals import interval, interval_of_difference
from gatewheel.kernel.errors import UserError

GRADES = (1.0, 4.0)
# estimate and half width by ppi_py 0.2.3 (ppi_mean_pointestimate, ppi_mean_ci), tuned and with λ = .5
REFERENCE = [
    (30, 200, 0.8, 2.060178736944481, 0.13579729675950514, 2.1511995968900774, 0.22586462990515876),
    (60, 100, 0.3, 2.153501162727858, 0.22095959376052055, 2.1575033341710044, 0.2211524053453946),
    (25, 1000, 0.95, 2.0342668565743276, 0.06263147471412267, 2.1623101372069353, 0.20141427667226086),
]


def mean(rows: Any) -> float:
    return float(rows.mean())


def suite(rng: Any, n: int, other: int, *, agrees: float, clusters: int = 0) -> tuple[Any, Any, list[str]]:
    """Grades 1 to 4 of n + other answers, and a judge that is too kind and correlates with people as it does."""
    every = n + other
    names = rng.integers(0, clusters, every) if clusters else np.arange(every)
    shared = rng.normal(size=clusters)[names] if clusters else 0.0
    hard = 0.7 * shared + 0.7 * rng.normal(size=every) if clusters else rng.normal(size=every)
    seen = agrees * hard + np.sqrt(1 - agrees**2) * rng.normal(size=every)
    people, judge = np.clip(np.round(hard + 2.5), *GRADES), np.clip(np.round(seen + 3.1), *GRADES)
    labels = people.copy()
    labels[n:] = np.nan
    return labels, judge, [f"d{name}" for name in names]


@pytest.mark.parametrize(("n", "other", "share", "estimate", "half", "at_half", "half_at_half"), REFERENCE)
def test_it_is_the_reference_but_for_small_samples(
    n: int, other: int, share: float, estimate: float, half: float, at_half: float, half_at_half: float
) -> None:
    at = np.arange(n + other)
    hard = np.sin(at * 1.7) + np.cos(at * at * 0.37)
    judged = share * hard + (1 - share) * np.sin(at * at * 0.91 + 1) + 0.7
    labels = np.where(at < n, hard + 2, np.nan)
    weight = ppi.tuned(labels[:n], judged[:n], judged[n:])
    z = stats.norm.ppf(0.975)
    for lam, point, width in ((weight, estimate, half), (0.5, at_half, half_at_half)):
        found = ppi.mean(labels, judged, weight=lam)
        assert found.estimate == pytest.approx(point, abs=1e-9)
        left, rest = (labels - lam * judged)[:n], lam * judged[n:]
        assert z * np.sqrt(left.var() / n + rest.var() / other) == pytest.approx(width, abs=1e-9)
        # ours divides by one less: the reference's variance is that of large samples
        assert found.error == pytest.approx(np.sqrt(left.var(ddof=1) / n + rest.var(ddof=1) / other), abs=1e-9)


@pytest.mark.parametrize("agrees", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("clusters", [0, 50])
def test_a_biased_judge_leaves_95_of_100_right_and_never_costs_width(agrees: float, clusters: int) -> None:
    rng, suites, covered, width, alone = np.random.default_rng(11), 600, 0, 0.0, 0.0
    for _ in range(suites):
        labels, judge, names = suite(rng, 60, 240, agrees=agrees, clusters=clusters)
        # as differences, whose classical interval needs no resampling
        found = ppi.difference((np.zeros_like(labels), labels - 2.5), (np.zeros_like(judge), judge), clusters=names)
        covered += found.interval.low <= 0 <= found.interval.high
        width += found.interval.high - found.interval.low
        given = (labels[:60] - 2.5)[:, None]
        one = interval_of_difference(given, mean, clusters=names[:60])
        alone += one.high - one.low
    assert 0.932 <= covered / suites <= 0.97
    assert width <= alone * 1.0001
    if agrees == 0.9:
        assert width < 0.85 * alone


def test_a_judge_that_does_not_count_leaves_the_labels_alone() -> None:
    rng = np.random.default_rng(3)
    labels, judge, _ = suite(rng, 40, 100, agrees=0.8)
    found = ppi.mean(labels, judge, bounds=GRADES, weight=0.0)
    alone = interval(labels[:40, None], mean, bounds=GRADES)
    assert (found.interval.low, found.interval.high) == (alone.low, alone.high)
    assert (found.estimate, found.weight, found.labelled, found.cases) == (labels[:40].mean(), 0.0, 40, 140)
    against = ppi.mean(labels, 5 - judge, bounds=GRADES)
    assert against.weight == 0, "who says the opposite of people is not turned round"
    few = ppi.mean(np.where(np.arange(140) < 6, labels, np.nan), judge, bounds=GRADES)
    assert few.weight == 0, "six labels do not tell what a judge errs"


def test_a_judge_that_never_errs_in_sight_is_not_taken_for_perfect() -> None:
    rng = np.random.default_rng(5)
    judge = (rng.random(400) < 0.6).astype(float)
    labels = np.where(np.arange(400) < 60, judge, np.nan)
    found = ppi.mean(labels, judge, bounds=(0.0, 1.0))
    alone = interval(labels[:60, None], mean, bounds=(0.0, 1.0))
    assert 0.5 * (alone.high - alone.low) < found.interval.high - found.interval.low <= alone.high - alone.low


@pytest.mark.parametrize(("labelled", "cases", "right"), [(100, 200, 0.8), (200, 400, 0.85)])
def test_a_judge_that_says_what_people_say_moves_nothing(labelled: int, cases: int, right: float) -> None:
    judge = (np.arange(cases) % 100 < 100 * right).astype(float)
    found = ppi.mean(np.where(np.arange(cases) < labelled, judge, np.nan), judge, bounds=(0.0, 1.0))
    assert found.weight > 0.4
    assert found.estimate == pytest.approx(right)
    assert found.interval.low < right < found.interval.high


def test_a_difference_is_of_the_same_cases_and_tells_which_way() -> None:
    rng = np.random.default_rng(7)
    a, judged_a, _ = suite(rng, 60, 240, agrees=0.9)
    b, judged_b = np.clip(a + (rng.random(300) < 0.4), *GRADES), np.clip(judged_a + (rng.random(300) < 0.6), *GRADES)
    found = ppi.difference((a, b), (judged_a, judged_b), bounds=GRADES)
    assert found.interval.low > 0
    assert found.p < 0.001
    back = ppi.difference((b, a), (judged_b, judged_a), bounds=GRADES)
    assert back.estimate == pytest.approx(-found.estimate)
    assert (back.interval.low, back.interval.high) == pytest.approx((-found.interval.high, -found.interval.low))
    half = np.where(np.arange(300) % 2 == 0, b, np.nan)
    assert ppi.difference((a, half), (judged_a, judged_b), bounds=GRADES).labelled == 30


def test_without_labels_nothing_is_known() -> None:
    nothing, judge = np.full(30, np.nan), np.linspace(1, 4, 30)
    found = ppi.mean(nothing, judge, bounds=GRADES)
    assert (found.interval.low, found.interval.high, isnan(found.estimate)) == (1.0, 4.0, True)
    apart = ppi.difference((nothing, nothing), (judge, judge), bounds=GRADES)
    assert (apart.interval.low, apart.interval.high) == (-3.0, 3.0)
    with pytest.raises(UserError, match=r"the score of case 3 is nan"):
        ppi.mean(judge, np.where(np.arange(30) == 2, np.nan, judge), bounds=GRADES)
