"""What a suite can show is what simulated suites of that size do show; and fronts count only what is sure."""

from __future__ import annotations

from math import inf, isinf

import numpy as np
import pytest
from scipy import stats

from gatewheel.evals.statistics.intervals import Interval
from gatewheel.evals.statistics.pairs import compare
from gatewheel.evals.statistics.pareto import front
from gatewheel.evals.statistics.power import (
    cases_needed,
    guessed_design_effect,
    guessed_sd,
    observed_design_effect,
    observed_sd,
    smallest_difference,
)


@pytest.mark.parametrize("n", [20, 100, 400])
def test_the_smallest_difference_is_found_four_times_in_five(n: int) -> None:
    difference = smallest_difference(n, sd=0.4)
    values = np.random.default_rng(n).normal(difference, 0.4, (5000, n))
    found = stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("difference", [0.05, 0.2, 0.5])
def test_the_cases_needed_are_those_of_the_exact_power(difference: float) -> None:
    n = cases_needed(difference, sd=0.4)
    assert n is not None

    def power(n: int) -> float:
        edge = stats.t.ppf(0.975, n - 1)
        return float(stats.nct.sf(edge, n - 1, difference / 0.4 * np.sqrt(n)))

    assert power(n - 2) < 0.8 <= power(n + 1)
    assert cases_needed(difference, sd=0.4, design_effect=2) == pytest.approx(2 * n, abs=2)
    assert smallest_difference(n, sd=0.4) == pytest.approx(difference, rel=0.03)


def test_nothing_is_found_with_nothing() -> None:
    assert isinf(smallest_difference(1, sd=0.4))
    assert isinf(smallest_difference(30, sd=0.4, design_effect=20))
    assert cases_needed(0.0, sd=0.4) is None
    assert cases_needed(0.1, sd=inf) is None
    assert isinf(observed_sd(np.array([0.1])))


def test_a_guess_is_the_worst_of_two_independent_variants() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 100_000)) < 0.5).astype(float)
    assert guessed_sd((0, 1)) == pytest.approx(observed_sd(b - a), abs=0.01)


def test_clusters_cost_cases() -> None:
    assert guessed_design_effect([]) == guessed_design_effect(["", "", ""]) == 1
    assert guessed_design_effect(["a"] * 5 + ["b"] * 5, alike=0.5) == pytest.approx(3)
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(200), 5)
    differences = rng.normal(size=200)[codes] + rng.normal(size=1000)
    found = compare(np.zeros(1000), differences, lambda r: float(r.mean()), clusters=[str(code) for code in codes])
    effect = observed_design_effect(found.error, sd=observed_sd(differences), n=1000)
    assert effect == pytest.approx(1 + 4 * 0.5, abs=0.5)
    assert observed_design_effect(0.0, sd=0.0, n=10) == 1


def test_a_front_keeps_what_nothing_surely_beats() -> None:
    quality = {"large": 0.80, "small": 0.79, "poor": 0.40, "costly": 0.79}
    price = {"large": 5.0, "small": 1.0, "poor": 1.0, "costly": 9.0}

    def difference(a: str, b: str, objective: str) -> Interval:
        if objective == "price":
            return Interval(price[b] - price[a], price[b] - price[a])
        return Interval(quality[b] - quality[a] - 0.03, quality[b] - quality[a] + 0.03)

    better = {"quality": "higher", "price": "lower"}
    # "costly" may yet be as good as "large": only what is sure counts. "poor" costs what "small" does and is worse
    assert front(list(quality), better, difference) == ("large", "small", "costly")  # type: ignore[arg-type]
    assert front(["poor"], better, difference) == ("poor",)  # type: ignore[arg-type]
    exact = {"price": "lower"}
    assert front(list(price), exact, difference) == ("small", "poor")  # type: ignore[arg-type]
