"""Intervals cover the truth as often as they say, are never too sure, and agree with scipy where scipy has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import inf, isinf

import numpy as np
import pytest
from scipy import stats

from gatewheel.evals.statistics.clusters import group
from gatewheel.evals.statistics.intervals import Interval, bootstrap, interval, wilson
from gatewheel.evals.statistics.resampling import jackknife, standard_error
from gatewheel.kernel.errors import UserError

Rng = np.random.Generator
Suite = tuple[np.ndarray, Sequence[str]]


def mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def ratio(rows: np.ndarray) -> float:
    return float(rows[:, 0].sum() / rows[:, 1].sum())


def like_token_f1(rng: Rng, n: int) -> np.ndarray:
    """A quarter wrong, a third right, the others in between; .55 on average."""
    share = rng.random(n)
    return np.where(share < 0.25, 0.0, np.where(share < 0.6, 1.0, rng.beta(2, 2, n)))


def uneven(rng: Rng, clusters: int) -> tuple[np.ndarray, list[str]]:
    """Clusters of 1 to 8 cases."""
    codes = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    return codes, [f"document {code}" for code in codes]


def independent(rng: Rng) -> Suite:
    return like_token_f1(rng, 100), ()


def rates(rng: Rng) -> Suite:
    return (rng.random(100) < 0.8).astype(float), ()


def clustered(clusters: int) -> Callable[[Rng], Suite]:
    def suite(rng: Rng) -> Suite:
        codes, names = uneven(rng, clusters)
        return 0.55 + 0.1 * (rng.normal(size=clusters)[codes] + rng.normal(size=len(codes))), names

    return suite


def clustered_rates(rng: Rng) -> Suite:
    codes, names = uneven(rng, 60)
    latent = np.sqrt(0.4) * rng.normal(size=60)[codes] + np.sqrt(0.6) * rng.normal(size=len(codes))
    return (latent < stats.norm.ppf(0.8)).astype(float), names


@pytest.mark.parametrize(
    ("suite", "truth", "method"),
    [
        (independent, 0.55, "BCa"),
        (rates, 0.8, "Wilson"),
        (clustered(40), 0.55, "BCa"),
        (clustered(12), 0.55, "Student"),
        (clustered_rates, 0.8, "Wilson over clusters"),
    ],
    ids=["scores", "rates", "clusters", "few clusters", "rates in clusters"],
)
def test_of_a_hundred_intervals_ninety_five_cover_the_truth(
    suite: Callable[[Rng], Suite], truth: float, method: str
) -> None:
    rng = np.random.default_rng(4)
    found = [_one(*suite(rng), seed=seed) for seed in range(2000)]
    assert all(one.method.startswith(method) for one in found)
    assert 0.94 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.96


def _one(rows: np.ndarray, clusters: Sequence[str], *, seed: int) -> Interval:
    return interval(rows, mean, clusters=clusters, bounds=(0, 1), seed=seed)


def test_ignoring_clusters_would_be_far_too_sure() -> None:
    rng = np.random.default_rng(4)
    suites = [clustered(40)(rng) for _ in range(300)]
    naive = [interval(rows, mean, bounds=(0, 1)) for rows, _ in suites]
    assert np.mean([one.low <= 0.55 <= one.high for one in naive]) < 0.85


@pytest.mark.parametrize(("right", "n"), [(0, 7), (8, 10), (1, 1), (95, 100), (500, 1000)])
def test_wilson_is_that_of_scipy(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(0.9, method="wilson")
    ours = wilson(right, n, level=0.9)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_of_nothing_knows_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)


@pytest.mark.parametrize("figure", [mean, lambda rows: float(np.exp(rows.mean()))], ids=["mean", "no mean"])
def test_bca_is_that_of_scipy_on_many_independent_cases(figure: Callable[[np.ndarray], float]) -> None:
    values = np.random.default_rng(0).exponential(1.0, 300)
    theirs = stats.bootstrap(
        (values,), lambda v: figure(v[:, None]), n_resamples=5000, method="BCa", vectorized=False, rng=1
    ).confidence_interval
    ours = bootstrap(values, figure, resamples=5000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low) * 2)


def test_the_error_of_clusters_is_the_one_worked_by_hand() -> None:
    # clusters {1, 3} and {2} and {6}: the mean is 3, without each in turn 4, 10/3, 2
    left_out = jackknife(np.array([[1.0], [2.0], [3.0], [6.0]]), mean, group(["x", "", "x", ""], 4))
    assert sorted(left_out) == pytest.approx([2, 10 / 3, 4])
    assert standard_error(left_out) == pytest.approx(np.sqrt(2 / 3 * np.square([2 - 28 / 9, 2 / 9, 8 / 9]).sum()))


def test_a_figure_that_is_no_mean_is_drawn_as_the_mean_is() -> None:
    rng = np.random.default_rng(2)
    codes, names = uneven(rng, 50)
    values = rng.normal(size=50)[codes] + rng.normal(size=len(codes))
    rows = np.column_stack([values, np.ones(len(values))])
    slow, fast = bootstrap(rows, ratio, clusters=names), bootstrap(values, mean, clusters=names)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.05 * (fast.high - fast.low) * 2)


def test_the_same_seed_gives_the_same_interval_and_the_order_of_names_does_not_matter() -> None:
    values = like_token_f1(np.random.default_rng(0), 60)
    assert interval(values, mean, seed=3) == interval(values, mean, seed=3)
    assert interval(values, mean, seed=3) != interval(values, mean, seed=4)
    assert interval(values, mean, clusters=[""] * 60) == interval(values, mean, clusters=[str(i) for i in range(60)])


def test_one_case_one_cluster_or_none_leave_everything_open() -> None:
    assert isinf(bootstrap(np.array([0.3]), mean).high)
    assert isinf(bootstrap(np.array([0.3, 0.4]), mean, clusters=["a", "a"]).low)
    for rows in (np.array([0.3]), np.zeros((0, 1))):
        assert (interval(rows, mean, bounds=(0, 1)).low, interval(rows, mean, bounds=(0, 1)).high) == (0, 1)
    assert isinf(interval(np.array([0.3]), mean).low)


@pytest.mark.parametrize("score", [1.0, 0.5, 0.0])
def test_all_alike_is_not_certain(score: float) -> None:
    found = interval(np.full(100, score), mean, bounds=(0, 1))
    assert found.low <= score <= found.high
    assert 0.02 < found.high - found.low < 0.1
    few = interval(np.full(100, score), mean, bounds=(0, 1), clusters=[str(i % 5) for i in range(100)])
    assert few.high - few.low > 0.3, "five documents say less than a hundred cases"


def test_all_alike_without_bounds_says_why_it_is_a_point() -> None:
    found = interval(np.full(50, 2.5), mean)
    assert (found.low, found.high) == (2.5, 2.5)
    assert "equal" in found.method


def test_a_rare_difference_is_not_overrated() -> None:
    """Two of a hundred answers changed: an ordinary bootstrap would exclude zero far too easily."""
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(1500):
        changed = rng.beta(3, 2, 100) * (rng.random(100) < 0.03)
        found = interval(changed, mean, bounds=(-1, 1), seed=seed)
        covered += found.low <= 0.6 * 0.03 <= found.high
    assert covered / 1500 >= 0.94


@pytest.mark.parametrize("wrong", [float("nan"), inf])
def test_a_score_that_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(UserError, match=r"case 2 is (nan|inf)"):
        interval(np.array([0.1, wrong, 0.3]), mean)


def test_a_figure_without_value_on_some_resamples_still_has_an_interval() -> None:
    rows = np.column_stack([np.arange(40.0), (np.arange(40) % 8 == 0).astype(float)])

    def among_marked(rows: np.ndarray) -> float:
        marked = rows[rows[:, 1] > 0, 0]
        return float(marked.mean()) if len(marked) else float("nan")

    found = bootstrap(rows, among_marked)
    assert 0 < found.low < 16 < found.high < 40


def test_intervals_stay_inside_the_bounds() -> None:
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (2, 3, 5, 25):
            found = interval(rng.beta(20, 1, n), mean, bounds=(0, 1))
            assert 0 <= found.low < found.high <= 1


def test_uneven_clusters_count_for_less_than_even_ones() -> None:
    assert group(["a"] * 5 + ["b"] * 5, 10).effective == pytest.approx(2)
    assert group(["a"] * 90 + [""] * 10, 100).effective == pytest.approx(10000 / 8110)
    with pytest.raises(ValueError, match="2 clusters for 3 rows"):
        group(["a", "b"], 3)
