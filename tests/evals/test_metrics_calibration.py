"""ECE and Brier score by their formulas, and what counts as confidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answering import answer, case, refusal, sentences
from gatewheel.kernel import catalog

PAIRS = st.lists(st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]), st.booleans()), min_size=1)


def made(name: str, **values: Any) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(**values))


def stated(sure: object) -> str:
    return json.dumps({"answer": "two wheels", "sure": sure})


def rows_of(metric: Any, pairs: list[tuple[float, bool]]) -> Any:
    """Answers that state their confidence, and are right or wrong."""
    found = []
    for sure, right in pairs:
        found.append(metric.score(case("two wheels" if right else "a rope"), answer(stated(sure))))
    return np.array(found, np.float64).reshape(len(pairs), -1)


def ece(pairs: list[tuple[float, bool]], bins: int) -> float:
    """Guo et al. 2017, equation 3: bin m holds the confidences of ((m-1)/M, m/M]; the first holds 0 as well.

    scikit-learn's calibration_curve(strategy="uniform") makes the same bins: searchsorted(bins[1:-1], y_prob).
    """
    total = 0.0
    for m in range(bins):
        low, high = np.linspace(0, 1, bins + 1)[m : m + 2]
        inside = [(sure, right) for sure, right in pairs if low < sure <= high or (m == 0 and sure == 0)]
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(sure for sure, _ in inside) / len(inside)
            total += len(inside) / len(pairs) * abs(accuracy - confidence)
    return total


@settings(max_examples=300, deadline=None)
@given(pairs=PAIRS, bins=st.sampled_from([1, 5, 10, 15]))
@example(pairs=[(0.1, True), (0.3, False), (0.7, True), (0.6, True)], bins=10)
def test_ece_equals_the_formula(pairs: list[tuple[float, bool]], bins: int) -> None:
    metric = made("ece", bins=bins, stated="sure")
    assert metric.figure(rows_of(metric, pairs)) == pytest.approx(ece(pairs, bins), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(pairs=PAIRS)
def test_brier_equals_the_formula_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    metric = made("brier", stated="sure")
    wanted = sum((right - sure) ** 2 for sure, right in pairs) / len(pairs)  # brier_score_loss(right, sure)
    assert metric.figure(rows_of(metric, pairs)) == pytest.approx(wanted, abs=1e-12)


def test_hand_checked_figures() -> None:
    pairs = [(0.9, True), (0.9, False), (0.2, False), (0.2, False)]  # |.5 - .9| and |0 - .2|, half of the cases each
    for name, wanted in (("ece", 0.3), ("brier", (0.01 + 0.81 + 0.04 + 0.04) / 4)):
        metric = made(name, stated="sure")
        assert metric.figure(rows_of(metric, pairs)) == pytest.approx(wanted)
        assert metric.better == "lower"


@pytest.mark.parametrize(
    "text",
    ["two wheels", "[0.5]", '{"sure": 0.5', "[" * 100_000, *map(stated, (None, True, "1", 2, -0.1, float("nan")))],
)
def test_what_states_no_confidence_does_not_count(text: str) -> None:
    for name in ("ece", "brier"):
        assert made(name, stated="sure").score(case("two wheels"), answer(text)) is None


def test_the_support_of_the_sentences_that_stand_is_the_confidence() -> None:
    said = answer("By two wheels. At night.", sentences=sentences(("By two wheels.", 0.9), ("At night.", 0.3)))
    assert made("ece").score(case("two wheels"), said) == (0.9, 1)
    assert made("brier").score(case("a rope"), said) == pytest.approx(0.81)
    doubtful = answer("At night.", sentences=sentences(("At night.", 0.3), ("Or so.", 0.5)))
    assert made("ece").score(case("a rope"), doubtful) == (pytest.approx(0.4), 0)
    wrong_to_answer = made("ece").score(case(answerable=False), said)
    assert wrong_to_answer == (0.9, 0)


def test_a_label_decides_before_references_do() -> None:
    one = case("A long story", label="B", choices=("no", "yes"))
    said = answer("Yes", sentences=sentences(("Yes", 0.9)))
    assert made("ece").score(one, said) == (0.9, 1)


def test_right_is_what_accuracy_says_with_its_classes_and_in_json() -> None:
    said = json.dumps({"label": "spam", "sure": 0.9})
    one = case(label="spam")
    assert made("ece", stated="sure", answer="label").score(one, answer(said)) == (0.9, 1)
    assert made("brier", stated="sure", answer="label").score(one, answer(said)) == pytest.approx(0.01)
    chosen = case(label="yes", choices=("no", "yes"))
    assert made("ece", stated="sure").score(chosen, answer(json.dumps({"answer": "B", "sure": 0.9}))) == (0.9, 1)
    number = case(label="5")
    assert made("ece", stated="sure").score(number, answer(json.dumps({"answer": 5, "sure": 0.9}))) == (0.9, 1)
    within = answer("This is spam.", sentences=sentences(("This is spam.", 0.8)))
    assert made("ece", classes=("spam", "ham")).score(one, within) == (0.8, 1)
    assert made("accuracy", classes=("spam", "ham")).score(one, within) == 1


@pytest.mark.parametrize("clusters", [0, 40])
def test_a_perfect_calibration_is_inside_the_interval_and_a_bad_one_is_not_at_zero(clusters: int) -> None:
    dice, held = np.random.default_rng(1), 0
    metric = made("ece")
    for _ in range(40):
        sure = dice.random(200)
        names = [f"c{at}" for at in dice.integers(0, clusters, 200)] if clusters else []
        rows = np.column_stack([sure, dice.random(200) < sure]).astype(np.float64)
        held += metric.interval(rows, clusters=names, level=0.95).low <= 0
    assert held >= 37
    boastful = np.column_stack([np.full(200, 0.9), np.arange(200) % 2]).astype(np.float64)
    found = metric.interval(boastful, clusters=(), level=0.95)
    assert 0.25 < found.low < 0.4 < found.high < 0.55
    sound = metric.interval(np.ones((20, 2)), clusters=(), level=0.95)
    assert (sound.low, metric.figure(np.ones((20, 2)))) == (0, 0)
    assert 0.05 < sound.high < 0.3, "twenty without a mistake are no proof"
    assert (metric.interval(rows[:1], clusters=(), level=0.95).high, metric.bounds) == (1, (0, 1))


def test_what_does_not_apply() -> None:
    said = answer("By two wheels.", sentences=sentences(("By two wheels.", 0.9)))
    for name in ("ece", "brier"):
        assert made(name).score(case(), said) is None
        assert made(name).score(case("two wheels"), answer("By two wheels.")) is None
        assert made(name).score(case("two wheels"), refusal(sentences=said.sentences)) is None
