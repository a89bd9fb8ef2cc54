"""Which class an answer names, accuracy, and macro-F1 by scikit-learn's formula."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import answer, case, refusal
from gatewheel.evals.metrics.classes import Settings, labels
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import UserError

CITIES = ("Paris", "Rome", "New York", "York")
CLASSES = ("guilty", "not guilty", "mistrial")


def made(name: str, *classes: str) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(classes=classes))


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("Rome", "rome"),
        ("  “rome.” ", "rome"),
        ("B", "rome"),
        ("(b)", "rome"),
        ("B. Rome", "rome"),
        ("B) because it is old", "rome"),
        ("The answer is B", "rome"),
        ("Answer: (B)", "rome"),
        ("It must be Rome, the eternal city.", "rome"),
        ("It is New York.", "new york"),
        ("Paris or Rome", None),
        ("A city that nobody knows", None),
        ("Romeo", None),
        ("D.C. is a city", None),
        ("Answers: d", None),
        (f"Answer{' ' * 50_000}?", None),
        (f"{'*' * 50_000} B", "rome"),
        ("E", None),
        ("", None),
        ("ＲＯＭＥ", "rome"),
    ],
)
def test_the_choice_that_an_answer_names(said: str, named: str | None) -> None:
    one = case(choices=CITIES, label="Rome")
    assert labels(one, answer(said), Settings()) == (named, "rome")
    assert made("accuracy").score(one, answer(said)) == float(named == "rome")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("not guilty", "not guilty"),
        ("The verdict is: Not guilty.", "not guilty"),
        ("Guilty!", "guilty"),
        ("I find him guilty", "guilty"),
        ("B", None),  # classes have no letters
        ("unguilty", None),
    ],
)
def test_the_class_that_an_answer_names(said: str, named: str | None) -> None:
    assert labels(case(label="guilty"), answer(said), Settings(classes=CLASSES)) == (named, "guilty")


def test_without_a_list_the_answer_is_its_own_class() -> None:
    assert labels(case(label="guilty"), answer("Guilty."), Settings()) == ("guilty", "guilty")
    assert labels(case(label="guilty"), answer("He is guilty"), Settings()) == ("he is guilty", "guilty")


def test_a_letter_may_stand_for_the_label() -> None:
    assert labels(case(choices=CITIES, label="B"), answer("Rome"), Settings()) == ("rome", "rome")


def test_choices_that_are_letters_or_signs_stay_what_they_are() -> None:
    assert labels(case(choices=("B", "A"), label="A"), answer("A"), Settings()) == ("a", "a")
    assert labels(case(choices=("+", "-"), label="-"), answer("-"), Settings()) == ("-", "-")


def test_choices_that_differ_only_in_case_or_signs_are_different() -> None:
    for said, named in (("Aa", "Aa"), ("It is aa", "aa"), ("A", "AA"), ("AA or aa", None)):
        assert labels(case(choices=("AA", "Aa", "aa"), label="aa"), answer(said), Settings()) == (named, "aa")
    assert made("accuracy").score(case(choices=("5", "5!"), label="5!"), answer("5")) == 0


def test_a_label_that_is_no_choice_is_a_mistake_in_the_case() -> None:
    for one, classes in ((case(choices=CITIES, label="Oslo"), ()), (case(label="Oslo"), CLASSES)):
        with pytest.raises(UserError, match=r"case 'case': its label 'Oslo' is none of .*; write the label as one"):
            labels(one, answer("Rome"), Settings(classes=classes))


def test_an_abstention_is_wrong_and_a_case_without_a_label_does_not_count() -> None:
    assert made("accuracy").score(case(choices=CITIES, label="Rome"), refusal()) == 0
    assert made("accuracy").score(case("Rome"), answer("Rome")) is None
    assert made("macro-f1").score(case("Rome"), answer("Rome")) is None


def f1_macro(right: list[str], named: list[str]) -> float:
    """scikit-learn's f1_score(right, named, average="macro", zero_division=0): the classes are those of either."""
    scores = []
    for label in sorted(set(right) | set(named)):
        tp = sum(r == label and n == label for r, n in zip(right, named, strict=True))
        fp = sum(r != label and n == label for r, n in zip(right, named, strict=True))
        fn = sum(r == label and n != label for r, n in zip(right, named, strict=True))
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn) if tp + fn else 0.0
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return sum(scores) / len(scores)


@pytest.mark.parametrize("known", [(), CLASSES])
@settings(max_examples=300, deadline=None)
@given(pairs=st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30))
def test_macro_f1_equals_the_formula(known: tuple[str, ...], pairs: list[tuple[str, str]]) -> None:
    metric = made("macro-f1", *known)
    rows = np.array([metric.score(case(label=right), answer(named)) for right, named in pairs])
    wanted = f1_macro([right for right, _ in pairs], [named for _, named in pairs])
    assert metric.figure(rows) == pytest.approx(wanted, abs=1e-12)


def test_an_answer_that_names_no_class_is_a_miss_but_no_class_of_its_own() -> None:
    metric = made("macro-f1", "yes", "no")
    said = [("yes", "yes"), ("no", "no"), ("no", "perhaps")]
    rows = np.array([metric.score(case(label=right), answer(named)) for right, named in said])
    # as f1_score(…, labels=["yes", "no"]): yes has 1, no has tp 1, fp 0, fn 1
    assert metric.figure(rows) == pytest.approx((1 + 2 / 3) / 2)
    assert metric.figure(rows[2:]) == 0


def test_the_numbers_of_classes_are_the_same_in_every_process() -> None:
    code = (
        "from gatewheel.evals.metrics.macro_f1 import MacroF1\n"
        "from gatewheel.evals.metrics.classes import Settings\n"
        "print(repr(MacroF1(Settings())._number('guilty')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    row = made("macro-f1").score(case(label="guilty"), answer("guilty"))
    assert row == (float(done.stdout), float(done.stdout))
    assert row[0] == int(row[0]) < 2**53  # exact as a float and in JSON
