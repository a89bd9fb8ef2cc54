"""Signals of faithfulness: token precision, evidence gain, and the probability that calibration makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from answering import answer
from gatewheel.embeddings import openvino
from gatewheel.evals import calibration, resolve
from gatewheel.evals.calibration import Calibration
from gatewheel.evals.metrics import evidence_gain, grounded, token_precision
from gatewheel.evals.metrics.mean import Settings
from gatewheel.evals.signals import SIGNALS
from gatewheel.kernel.config import validate
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Case, Message

TEXT = "The first program was written by Ada Lovelace in 1843, for the machine of Charles Babbage."
CASE = Case(id="c", question="Who wrote the first program?", context=TEXT)


@cache
def encoder() -> openvino.OpenVINOEncoder:
    return openvino.create(openvino.Settings(threads=1))


def precision(case: Case, text: str) -> float | None:
    return token_precision.create(Settings(), encoder=encoder()).score(case, answer(text))


class Reader:
    """Log-probabilities by rule: a word that stands in the prompt is likely; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood]:
        self.asked += [(prompt, text) for text in continuations]
        return [
            Likelihood(
                logprob=sum(-1.0 if word in prompt else -5.0 for word in text.split()),
                tokens=len(text.split()),
                greedy=False,
            )
            for text in continuations
        ]

    def rolling(self, text: str) -> Likelihood:
        raise NotImplementedError


# --- token vectors ---


def test_tokens_are_vectors_of_length_one_where_they_stand() -> None:
    [(spans, rows), (none, empty)] = encoder().token_vectors(["Ada wrote it.", ""])
    assert [("Ada wrote it."[a:b]) for a, b in spans.tolist()] == ["Ada", "wrote", "it", "."]
    assert rows.shape == (4, encoder().dimensions)
    assert (rows**2).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (none.shape, empty.shape) == ((0, 2), (0, encoder().dimensions))


def test_a_long_text_has_each_of_its_tokens_once() -> None:
    text = " ".join(f"word{at}" for at in range(600))
    [(spans, rows)] = encoder().token_vectors([text])
    assert spans[:, 0].tolist() == encoder().starts(text).tolist()
    assert len(rows) == len(spans)


# --- token precision ---


def test_words_of_the_evidence_are_nearer_than_others() -> None:
    said, other = precision(CASE, "Ada Lovelace wrote it."), precision(CASE, "Grace Hopper wrote it.")
    assert said is not None
    assert other is not None
    assert 0 < other < said <= 1
    assert precision(CASE, TEXT) == pytest.approx(1.0, abs=1e-3)


def test_a_paraphrase_is_nearer_than_by_words_alone() -> None:
    found = precision(CASE, "Lovelace authored the earliest software.")
    assert found is not None
    assert found > 0.4


@pytest.mark.parametrize("text", ["It was.", "", "?!"])
def test_nothing_is_said_of_an_answer_without_a_content_word(text: str) -> None:
    assert precision(CASE, text) is None


def test_nothing_is_said_without_evidence_and_of_abstentions() -> None:
    assert precision(Case(id="c", question="?"), "Ada wrote it") is None
    metric = token_precision.create(Settings(), encoder=encoder())
    assert metric.score(CASE, answer("", abstained=True)) is None


def test_an_encoder_without_vectors_of_tokens_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r'vectors of single tokens.*use = "openvino"'):
        token_precision.create(Settings(), encoder=None)


# --- evidence gain ---


def gain(case: Case, text: str) -> tuple[float | None, Reader]:
    reader = Reader()
    found = evidence_gain.create(evidence_gain.Settings(), likelihoods=reader).score(case, answer(text))
    return found, reader


def test_the_gain_is_the_difference_of_two_readings_a_token() -> None:
    found, reader = gain(CASE, "Ada Lovelace in 1999")
    assert found == pytest.approx((-1 - 1 - 1 - 5) / 4 - (-5 * 4) / 4)
    assert [prompt for prompt, _ in reader.asked] == [
        f"{TEXT}\n\nQuestion: {CASE.question}\nAnswer:",
        f"Question: {CASE.question}\nAnswer:",
    ]
    assert {text for _, text in reader.asked} == {" Ada Lovelace in 1999"}


def test_what_anybody_says_anyway_gains_nothing() -> None:
    assert gain(CASE, "program")[0] == 0.0


def test_turns_before_the_question_are_read_with_and_without_evidence() -> None:
    history = (Message(role="user", content="Tell me of Babbage."),)
    _, reader = gain(Case(id="c", question="And Ada?", history=history, context=TEXT), "She wrote")
    assert all("user: Tell me of Babbage.\nQuestion: And Ada?" in prompt for prompt, _ in reader.asked)


def test_no_gain_is_told_where_there_is_nothing_to_read() -> None:
    assert gain(Case(id="c", question="?"), "Ada")[0] is None
    assert gain(CASE, "  ")[0] is None
    metric = evidence_gain.create(evidence_gain.Settings(), likelihoods=Reader())
    assert metric.score(CASE, answer("", abstained=True)) is None
    with pytest.raises(ConfigError, match="how probable a text is"):
        evidence_gain.create(evidence_gain.Settings())


# --- grounded ---


def calibrated(root: Path, *signals: str, **said: Any) -> Path:
    made = Calibration(
        signals=signals,
        weights=(2.0,) * len(signals),
        intercept=-1.0,
        answers=60,
        faithful=30,
        auroc=0.8,
        ece=0.1,
        **said,
    )
    calibration.write(root / "grounded.json", made)
    return root / "gatewheel.toml"


def test_grounded_is_the_probability_of_its_signals_and_asks_for_no_other_part(tmp_path: Path) -> None:
    config = validate({}, calibrated(tmp_path, "lexical-grounding"))
    assert resolve.needs(config, ["grounded"]) == set()
    assert resolve.likelihood_model(config, "grounded") == ""
    metric = resolve.metric(config, "grounded")
    assert metric.score(CASE, answer("Ada Lovelace")) == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert metric.score(CASE, answer("Grace Hopper")) == pytest.approx(1 / (1 + math.exp(1.0)))
    assert metric.score(CASE, answer("It was")) is None


def test_another_calibration_is_another_metric(tmp_path: Path) -> None:
    config = validate({}, calibrated(tmp_path, "lexical-grounding"))
    before = resolve.recipe(config, "grounded")
    calibrated(tmp_path, "lexical-grounding", model="x")
    assert resolve.recipe(config, "grounded") != before


def test_what_it_was_calibrated_with_must_be_what_scores(tmp_path: Path) -> None:
    config = validate({}, calibrated(tmp_path, "token-precision", encoder="another"))
    assert resolve.needs(config, ["grounded"]) == {"encoder"}
    with pytest.raises(ConfigError, match=r"was made with the encoder another.*calibrate` again"):
        resolve.metric(config, "grounded", encoder=encoder())
    config = validate({}, calibrated(tmp_path, "evidence-gain", model="large"))
    assert resolve.likelihood_model(config, "grounded") == "chat"
    with pytest.raises(ConfigError, match=r"\[model.large\]"):
        resolve.metric(config, "grounded", likelihoods=Reader())


def test_without_a_calibration_it_says_how_to_make_one(tmp_path: Path) -> None:
    config = validate({}, tmp_path / "gatewheel.toml")
    with pytest.raises(ConfigError, match=r"no calibration grounded.json; make it by `gatewheel evals calibrate"):
        resolve.metric(config, "grounded")


def test_every_signal_is_in_the_catalog_with_the_parts_that_it_takes() -> None:
    parts = {"encoder": encoder(), "checker": None, "sentences": None, "likelihoods": Reader()}
    for name in SIGNALS:
        assert grounded.signal(name, parts).better == "higher"
