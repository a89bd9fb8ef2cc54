"""Evidence may be looked at after every case, and still rarely errs; where it is right it is soon enough."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gatewheel.evals.statistics.sequential import Evidence
from gatewheel.kernel.errors import UserError

ALPHA = 0.05


def flips(rng: np.random.Generator, n: int, *, share: float, mean: float) -> np.ndarray:
    """Differences of right-or-wrong scores: a share of cases flips, more of them upwards by `mean`."""
    draw = rng.random(n)
    return np.where(draw < (share + mean) / 2, 1.0, np.where(draw < share, -1.0, 0.0))


def graded(rng: np.random.Generator, n: int, *, share: float, mean: float) -> np.ndarray:
    """Differences of scores in 0..1 between alike variants, pulled to the mean."""
    return np.clip(rng.normal(0, 0.25, n) * (rng.random(n) < share), -0.9, 0.9) + mean


def lucky_start(rng: np.random.Generator, n: int, *, share: float, mean: float) -> np.ndarray:
    """Hardly ever a difference, and then the worst there is: what a bet that learns is tempted by."""
    return np.where(rng.random(n) < -mean, -1.0, 0.0)


@pytest.mark.parametrize("margin", [0.02, 0.1])
@pytest.mark.parametrize("kind", [flips, graded, lucky_start])
def test_peeking_after_every_case_does_not_raise_the_error_above_alpha(kind: object, margin: float) -> None:
    """Exactly at the margin, where a candidate is as good as it may be without being allowed through."""
    rng = np.random.default_rng(8)
    through = 0
    for _ in range(500):
        evidence = Evidence((-1, 1), margin, ALPHA)
        evidence.add(kind(rng, 300, share=0.2, mean=-margin))  # type: ignore[operator]
        through += evidence.rejects  # at any of its looks
    assert through / 500 <= ALPHA


def test_a_z_test_that_peeks_is_wrong_several_times_as_often() -> None:
    """The reason for all this."""
    rng = np.random.default_rng(8)
    looks = range(50, 801, 50)
    through = 0
    for _ in range(500):
        differences = flips(rng, 800, share=0.2, mean=-0.05)
        z = [(differences[:n].mean() + 0.05) / (differences[:n].std() / np.sqrt(n)) for n in looks]
        through += max(z) > stats.norm.ppf(1 - ALPHA)
    assert through / 500 > 3 * ALPHA


def test_an_equal_candidate_passes_soon() -> None:
    rng = np.random.default_rng(8)
    needed = []
    for _ in range(60):
        evidence = Evidence((-1, 1), 0.05, ALPHA)
        while not evidence.rejects and evidence.n < 2000:
            evidence.add(flips(rng, 10, share=0.1, mean=0.0))
        needed.append(evidence.n)
    assert np.median(needed) <= 320


def test_superiority_is_a_negative_margin() -> None:
    rng = np.random.default_rng(1)
    better, same = Evidence((-1, 1), -0.02), Evidence((-1, 1), -0.02)
    better.add(flips(rng, 600, share=0.3, mean=0.15))
    same.add(flips(rng, 600, share=0.3, mean=0.0))
    assert better.rejects
    assert not same.rejects
    assert better.p < 0.05 < same.p


def test_the_fortune_is_the_one_worked_by_hand() -> None:
    """At first sight of one case every constant bet has gained its stake times the gain; the learning bet as well."""
    evidence = Evidence((0, 1), -0.5)
    assert evidence.e_value == pytest.approx(1)
    evidence.add([1.0])
    stakes = 0.95 * 2.0 ** -np.arange(5) / 0.5
    assert evidence.e_value == pytest.approx(0.5 * np.mean(1 + stakes * 0.5) + 0.5 * 1.0)


def test_what_was_once_proven_stays_proven_and_pieces_add_up() -> None:
    whole, pieces = Evidence((-1, 1), 0.1), Evidence((-1, 1), 0.1)
    values = [0.0] * 90 + [-1.0] * 60
    whole.add(values)
    for value in values:
        pieces.add([value])
    assert whole.e_value == pieces.e_value < 1
    assert whole.rejects
    assert whole.n == 150


def test_other_bounds_only_change_the_unit() -> None:
    one, hundred = Evidence((-1, 1), 0.05), Evidence((-100, 100), 5)
    values = flips(np.random.default_rng(0), 100, share=0.2, mean=0.0)
    one.add(values)
    hundred.add(100 * values)
    assert one.e_value == pytest.approx(hundred.e_value)


def test_long_evidence_neither_overflows_nor_ends() -> None:
    evidence = Evidence((-1, 1), 0.5)
    evidence.add([1.0] * 3000)
    assert evidence.rejects
    assert np.isfinite(evidence.e_value)
    evidence.add([-1.0] * 6000)
    assert evidence.e_value >= 0


def test_what_cannot_be_bet_on_is_refused() -> None:
    with pytest.raises(UserError, match="finite bounds"):
        Evidence((0, float("inf")), 0.1)
    with pytest.raises(UserError, match="within"):
        Evidence((-1, 1), 1.0)
    for value in (1.2, float("nan")):
        with pytest.raises(UserError, match="outside -1 to 1"):
            Evidence((-1, 1), 0.1).add([value])
