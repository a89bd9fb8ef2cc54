"""Comparisons find what is there, do not find what is not, and agree with the textbooks."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest
from scipy import optimize, stats

from gatewheel.evals.statistics.conclusion import Conclusion, conclude, rounded, say
from gatewheel.evals.statistics.intervals import Interval, bootstrap, interval_of_difference
from gatewheel.evals.statistics.pairs import compare, holm, mcnemar, tango


def mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def f_score(rows: np.ndarray) -> float:
    """Of rows (predicted, gold): a figure that is no mean."""
    right = (rows[:, 0] * rows[:, 1]).sum()
    return float(2 * right / max(1.0, rows.sum()))


def answers(rng: np.random.Generator, n: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong of two variants that share what makes a case hard; the second is right more often by shift."""
    hard = rng.normal(size=n)
    a = hard + rng.normal(size=n) * 0.7 < 0.6
    b = hard + rng.normal(size=n) * 0.7 < 0.6 + shift
    return a.astype(float), b.astype(float)


@pytest.mark.parametrize(("wins", "losses"), [(9, 1), (0, 0), (5, 5), (30, 12), (0, 8), (1, 200)])
def test_mcnemar_is_the_binomial_test(wins: int, losses: int) -> None:
    theirs = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(("wins", "losses", "n"), [(12, 2, 44), (3, 3, 50), (0, 4, 30), (40, 25, 400)])
def test_tango_inverts_the_score_test(wins: int, losses: int, n: int) -> None:
    """At its ends the score statistic is ±1.96, with the likelihood maximised by search instead of by formula."""
    found = tango(wins, losses, n)
    for end, z in ((found.low, 1.96), (found.high, -1.96)):

        def surprise(lost: float, end: float = end) -> float:
            counts, chances = (wins, losses, n - wins - losses), (lost + end, lost, 1 - 2 * lost - end)
            return -sum(count * np.log(max(chance, 1e-300)) for count, chance in zip(counts, chances, strict=True))

        span = (max(0.0, -end), (1 - end) / 2)
        lost = optimize.minimize_scalar(surprise, bounds=span, method="bounded", options={"xatol": 1e-12}).x
        statistic = (wins - losses - n * end) / np.sqrt(n * (2 * lost + end - end**2))
        assert statistic == pytest.approx(z, abs=1e-3)


def test_tango_at_the_edges() -> None:
    none = tango(0, 0, 100)  # closed form without any discordant pair: z² / (n + z²)
    z2 = stats.norm.ppf(0.975) ** 2
    assert (none.low, none.high) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-9)
    assert tango(50, 0, 50).high == 1
    assert tango(0, 50, 50).low == -1
    assert (tango(0, 0, 0).low, tango(0, 0, 0).high) == (-1, 1)
    found, mirrored = tango(12, 2, 44), tango(2, 12, 44)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


def test_holm_is_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_comparison_counts_flips_and_says_which_test_it_is() -> None:
    a = np.array([0.0] * 12 + [1.0] * 8)
    b = np.array([1.0] * 9 + [0.0] * 3 + [1.0] * 7 + [0.0])
    found = compare(a, b, mean, bounds=(0, 1), binary=True)
    assert (found.wins, found.losses, found.ties, found.n) == (9, 1, 10, 20)
    assert found.difference == pytest.approx(0.4)
    assert found.p == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert (found.effect, found.effect_name) == (9, "odds ratio")
    assert found.conclusion == Conclusion("better")
    turned = compare(a, b, mean, bounds=(0, 1), binary=True, better="lower")
    assert (turned.wins, turned.losses, turned.conclusion.word) == (1, 9, "worse")
    assert turned.interval == found.interval


def test_an_effect_is_cohens() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50) + 0.2
    found = compare(a, b, mean)
    assert found.effect == pytest.approx((b - a).mean() / (b - a).std(ddof=1))
    assert found.error == pytest.approx((b - a).std(ddof=1) / np.sqrt(50))
    assert found.effect_name == "d_z"


def test_few_clusters_are_tested_with_every_sign() -> None:
    a, b = np.zeros(8), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    assert compare(a, b, mean).p == pytest.approx(2 / 2**8)
    assert compare(a, b, mean, clusters=list("aabbccdd")).p == pytest.approx(2 / 2**4)


def test_no_difference_is_rarely_found() -> None:
    rng = np.random.default_rng(3)
    found = [compare(*answers(rng, 200), mean, bounds=(0, 1), binary=True, seed=i) for i in range(2000)]
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.05
    assert np.mean([one.conclusion.word == "better" for one in found]) <= 0.025
    assert all((one.p <= 0.05) == (one.conclusion.word in ("better", "worse")) for one in found), "one word, one p"


def test_of_a_hundred_intervals_of_a_difference_ninety_five_cover_it() -> None:
    rng = np.random.default_rng(3)
    truth = float(np.diff(stats.norm.cdf(np.array([0.6, 0.8]) / np.sqrt(1.49)))[0])
    flips = [b - a for a, b in (answers(rng, 200, shift=0.2) for _ in range(2000))]
    found = [tango(int((flip > 0).sum()), int((flip < 0).sum()), 200) for flip in flips]
    assert 0.94 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.96


def losses_only(rng: np.random.Generator) -> np.ndarray:
    return -rng.beta(3, 2, 400) * (rng.random(400) < 0.05 / 0.6)


def losses_and_wins(rng: np.random.Generator) -> np.ndarray:
    draw = rng.random(400)
    return rng.beta(3, 2, 400) * ((draw < 0.05) * 1.0 - (draw > 0.95 - 0.05 / 0.6) * 1.0)


def shifted(rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.normal(-0.05, 0.2, 400), -1, 1)


@pytest.mark.parametrize("kind", [losses_only, losses_and_wins, shifted])
def test_who_is_worse_by_the_margin_passes_as_rarely_as_alpha_says(
    kind: Callable[[np.random.Generator], np.ndarray],
) -> None:
    """The candidate is worse by exactly .05, the margin: one end of the 90 % interval errs with an alpha of 5 %."""
    rng = np.random.default_rng(6)
    found = [interval_of_difference(kind(rng), mean, bounds=(-1, 1), level=0.9) for _ in range(3000)]
    assert np.mean([one.low > -0.05 for one in found]) <= 0.058  # 5 % and two standard errors of 3000 trials
    assert np.mean([one.low <= -0.05 <= one.high for one in found]) >= 0.89


def test_few_changed_answers_are_not_overrated() -> None:
    """Fifteen of a hundred answers changed, for better or worse alike: a BCa bootstrap covers no difference in 90 %."""
    rng = np.random.default_rng(6)
    covered = {"t": 0, "BCa": 0}
    for seed in range(600):
        changed = rng.uniform(-1, 1, 100) * (rng.random(100) < 0.15)
        ours = interval_of_difference(changed, mean, bounds=(-1, 1))
        usual = bootstrap(changed, mean, seed=seed)
        covered["t"] += ours.low <= 0 <= ours.high
        covered["BCa"] += usual.low <= 0 <= usual.high
    assert covered["BCa"] / 600 < 0.93
    assert covered["t"] / 600 >= 0.95


def test_no_difference_of_clusters_is_found_as_often_as_alpha_says() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(30), rng.integers(1, 9, 30))
    names = [str(code) for code in codes]
    found = []
    for seed in range(700):
        shared = rng.normal(size=(30, 2))[codes] * 0.1
        scores = np.clip(0.5 + shared + rng.normal(size=(len(codes), 2)) * 0.1, 0, 1)
        found.append(compare(scores[:, 0], scores[:, 1], mean, clusters=names, bounds=(0, 1), seed=seed))
    assert 0.93 <= np.mean([one.interval.low <= 0 <= one.interval.high for one in found]) <= 0.97
    assert 0.03 <= np.mean([one.p <= 0.05 for one in found]) <= 0.07


def test_a_figure_that_is_no_mean_is_compared_by_swaps() -> None:
    rng = np.random.default_rng(0)
    gold = (rng.random(300) < 0.4).astype(float)
    noisy, sharp = (np.where(rng.random(300) < wrong, 1 - gold, gold) for wrong in (0.3, 0.1))
    a, b = np.column_stack([noisy, gold]), np.column_stack([sharp, gold])
    found = compare(a, b, f_score, bounds=(0, 1))
    assert found.difference == pytest.approx(f_score(b) - f_score(a))
    assert found.interval.low < found.difference < found.interval.high
    assert (found.wins, found.conclusion.word, found.test) == (None, "better", "swaps of clusters")
    assert found.p < 0.01
    same = compare(a, a, f_score, bounds=(0, 1))
    assert (same.difference, same.p) == (0, 1)
    assert same.conclusion.word == "inconclusive"


def test_what_few_clusters_changed_is_not_known_where_no_bounded_mean_says_what_one_more_could_do() -> None:
    gold = np.tile([0.0, 1.0], 50)
    a = np.column_stack([gold, gold])
    for changed, known in ((0, False), (9, False), (10, True)):
        b = a.copy()
        b[:changed, 0] = 1 - gold[:changed]
        assert (compare(a, b, f_score, bounds=(0, 1)).interval.high < 1) is known
    seconds = np.linspace(1, 2, 100)
    for changed, known in ((0, False), (9, False), (10, True)):
        slower = seconds + (np.arange(100) < changed) * np.arange(1, 101)
        found = compare(seconds, slower, mean, bounds=(0, inf), better="lower").interval
        assert np.isfinite(found.high - found.low) == known
    b = np.column_stack([np.tile([0.0, 1.0, 1.0, 0.0], 25), gold])  # half of the answers differ, and the figure never
    constant = interval_of_difference(np.hstack([a, b]), lambda _: 0.25, bounds=(-1, 1))
    assert (constant.low, constant.high, constant.method) == (-1, 1, "nothing scatters")


def test_an_unchanged_variant_is_not_better_and_equivalent_once_there_are_enough_cases() -> None:
    words = {}
    for n in (20, 150, 400):
        scores = np.random.default_rng(n).random(n)
        words[n] = compare(scores, scores, mean, bounds=(0, 1), margin=0.02).conclusion.word
    assert words == {20: "inconclusive", 150: "inconclusive", 400: "equivalent"}
    right = np.ones(400)
    assert compare(right, right, mean, bounds=(0, 1), binary=True, margin=0.02).conclusion.word == "equivalent"


def test_edges_do_not_break_a_comparison() -> None:
    nothing = compare(np.zeros((0, 1)), np.zeros((0, 1)), mean, bounds=(0, 1), binary=True)
    assert (nothing.n, nothing.p, nothing.conclusion) == (0, 1.0, Conclusion("inconclusive"))
    one = compare(np.array([0.0]), np.array([0.7]), mean, bounds=(0, 1))
    assert (one.interval.low, one.interval.high) == (-1, 1)
    assert one.conclusion.word == "inconclusive"
    rounding = compare(np.full(30, 0.1 + 0.2), np.full(30, 0.3), mean, bounds=(0, 1))
    assert (rounding.wins, rounding.losses, rounding.difference) == (0, 0, 0)
    with pytest.raises(ValueError, match="no pairs"):
        compare(np.zeros(3), np.zeros(4), mean)


def test_a_figure_that_is_not_a_number_and_reports_without_a_common_case_tell_nothing() -> None:
    rows = np.ones((12, 2))
    unknown = compare(rows, rows, lambda _: nan, bounds=(-1, 1))
    assert (unknown.p, unknown.conclusion) == (1.0, Conclusion("inconclusive"))
    seldom = compare(rows, rows * 2, lambda rows: 1.0 if (rows == rows[0]).all() else nan, bounds=(-1, 1))
    assert seldom.p == 1.0, "a swap without a figure tells nothing against it"
    nobody = compare(np.zeros((0, 1)), np.zeros((0, 1)), f_score, bounds=(0, 1))
    assert (nobody.n, nobody.p, nobody.conclusion) == (0, 1.0, Conclusion("inconclusive"))


def test_conclusions() -> None:
    assert conclude(0.05, Interval(0.01, 0.09), n=100).word == "better"
    assert conclude(0.05, Interval(0.01, 0.09), n=100, better="lower").word == "worse"
    assert conclude(-0.05, Interval(-0.09, -0.01), n=100).word == "worse"
    assert conclude(0.0, Interval(-0.01, 0.01), n=100, margin=0.02).word == "equivalent"
    assert conclude(0.0, Interval(-0.01, 0.03), n=100, margin=0.02).word == "inconclusive"
    assert conclude(0.0, Interval(0.0, 0.01), n=100).word == "inconclusive", "touching zero is not above it"


def test_what_is_inconclusive_tells_how_many_cases_would_settle_it() -> None:
    # ±.06 over 100 cases, .04 apart: 80 % of the time the interval must be ±.04 · 1.96 / 2.80
    conclusion = conclude(0.04, Interval(-0.02, 0.10), n=100)
    assert conclusion.cases_needed == pytest.approx(100 * (0.06 / (0.04 * 1.96 / 2.8016)) ** 2 - 100, abs=1)
    assert say(conclusion) == "inconclusive (about 360 more cases would settle it)"
    assert conclude(0.0, Interval(-0.1, 0.1), n=100).cases_needed is None
    assert conclude(0.0, Interval(-inf, inf), n=1).cases_needed is None
    assert "hardly" in say(conclude(1e-9, Interval(-0.1, 0.1), n=100))
    assert [rounded(n) for n in (7, 99, 101, 1374)] == [7, 99, 110, 1400]


def test_the_cases_asked_for_do_settle_it_four_times_in_five() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.1, 1.0, 200)
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    more = conclude(0.1, Interval(0.1 - half, 0.1 + half), n=200).cases_needed
    assert more is not None
    again = rng.normal(0.1, values.std(ddof=1), (2000, 200 + more))
    settled = np.abs(again.mean(1)) > 1.96 * again.std(1) / np.sqrt(200 + more)
    assert settled.mean() == pytest.approx(0.8, abs=0.03)


def test_numbers_are_plain_so_that_they_can_be_written_down() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 60))
    wide = compare(np.column_stack([a, a]), np.column_stack([b, b]), lambda r: r.mean(), bounds=(0, 1), binary=True)
    graded = compare(a, b, mean, bounds=(0, 1), clusters=["x", "y"] * 30)
    exact = compare(a.round(), b.round(), mean, bounds=(0, 1), binary=True)
    for found in (wide, graded, exact):
        numbers = (found.difference, found.interval.low, found.interval.high, found.p, found.effect, found.error)
        assert [type(number) for number in numbers] == [float] * 6
