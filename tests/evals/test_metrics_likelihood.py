"""Metrics of likelihoods against the lm-evaluation-harness's own definitions, by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answering import answer, case, refusal
from gatewheel.evals import resolve
from gatewheel.kernel.config import validate
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Metric


def made(use: str, **settings: Any) -> Metric:
    return resolve.metric(validate({"metric": {"m": {"use": use, **settings}}}, Path("gatewheel.toml")), "m")


def scored(*logprobs: float, text: str = "", tokens: int = 3) -> Answer:
    told = tuple(Likelihood(logprob=each, tokens=tokens, greedy=False) for each in logprobs)
    return answer(text, likelihoods=told)


def choice(*choices: str, label: str) -> Case:
    return case(choices=choices, label=label)


def test_the_likeliest_choice_counts_and_of_equal_ones_the_first() -> None:
    metric = made("choice-accuracy")
    asked = choice("a wheel", "a gate", label="a gate")
    assert metric.score(asked, scored(-3, -2)) == 1.0
    assert metric.score(asked, scored(-2, -3)) == 0.0
    assert metric.score(asked, scored(-2, -2)) == 0.0
    assert metric.score(choice("a wheel", "a gate", label="a wheel"), scored(-2, -2)) == 1.0


def test_by_length_a_long_choice_is_not_less_likely_for_its_length() -> None:
    asked = choice("no", "certainly not", label="certainly not")
    assert made("choice-accuracy").score(asked, scored(-4, -13)) == 0.0
    assert made("choice-accuracy-norm").score(asked, scored(-4, -13)) == 1.0  # -2 and -1 a character
    accented = choice("ab", "éé", label="éé")
    assert made("choice-accuracy-norm").score(accented, scored(-4, -5)) == 0.0  # -2 and -2.5 a character
    assert made("choice-accuracy-norm", by="bytes").score(accented, scored(-4, -5)) == 1.0  # -2 and -1.25 a byte


@pytest.mark.parametrize("name", ["choice-accuracy", "choice-accuracy-norm"])
def test_a_case_that_failed_is_wrong_and_a_written_answer_is_no_such_case(name: str) -> None:
    metric, asked = made(name), choice("a", "b", label="b")
    assert metric.score(asked, answer("")) == 0.0
    assert metric.score(asked, answer("b")) is None
    assert metric.score(asked, refusal()) is None
    assert metric.score(case(), scored(-1)) is None
    with pytest.raises(UserError, match="its label 'c' is none of a, b"):
        metric.score(choice("a", "b", label="c"), scored(-1, -2))


TEXTS = {"Two words": (-12.0, 4), " one\ntwo  three é": (-30.0, 11)}


def figure(name: str) -> float:
    metric = made(name)
    rows = [metric.score(case(question=text), scored(ll, tokens=n)) for text, (ll, n) in TEXTS.items()]
    return metric.figure(np.array(rows, np.float64))


def test_perplexities_weigh_texts_by_their_length() -> None:
    # lm_eval.api.metrics: weighted_perplexity = exp(-sum(ll) / sum(weight)), bits_per_byte = -that exponent / ln 2
    assert figure("perplexity") == pytest.approx(math.exp(42 / 15))
    assert figure("word-perplexity") == pytest.approx(math.exp(42 / (2 + 5)))  # re.split: "" before the first space
    octets = len(b"Two words") + len(" one\ntwo  three é".encode())
    assert figure("byte-perplexity") == pytest.approx(math.exp(42 / octets))
    assert figure("bits-per-byte") == pytest.approx(42 / octets / math.log(2))


@pytest.mark.parametrize("name", ["perplexity", "word-perplexity", "byte-perplexity", "bits-per-byte"])
def test_a_text_that_was_not_scored_whole_has_no_perplexity(name: str) -> None:
    metric = made(name)
    assert metric.score(case(), answer("words")) is None
    assert metric.score(case(), answer("")) is None
    assert metric.score(choice("a", label="a"), scored(-1)) is None
    assert metric.better == "lower"


def test_a_hopeless_model_has_an_infinite_perplexity_and_a_certain_one_a_perplexity_of_one() -> None:
    assert made("perplexity").figure(np.array([[-1e6, 1.0]])) == math.inf
    row = made("perplexity").score(case(), scored(1e-9))
    assert made("perplexity").figure(np.array([row])) == 1.0


def test_calibration_takes_the_share_of_the_likeliest_choice() -> None:
    asked = choice("a wheel", "a gate", label="a gate")
    sure = 1 / (1 + math.exp(-2))
    assert made("brier").score(asked, scored(-3, -1, text="a gate")) == pytest.approx((sure - 1) ** 2)
    assert made("brier").score(asked, scored(-1, -3, text="a wheel")) == pytest.approx(sure**2)
    assert made("ece").score(asked, scored(-3, -1, text="a gate")) == pytest.approx((sure, 1.0))
