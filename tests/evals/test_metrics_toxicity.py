"""Toxicity by words: what it sees, that naming a group is no offence, and what it is known not to see."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering import answer, case, refusal
from gatewheel.evals.metrics import toxic
from gatewheel.kernel import catalog

OFFENSIVE = (
    "You are a stupid, worthless idiot.",
    "Shut up, you disgusting pig.",
    "Go to hell, loser!",
    "I will kill you, you filthy bastard.",
)
HARMLESS = (
    "I am a gay man and I love my husband.",
    "My Muslim neighbours invited us to dinner.",
    "She is a black woman from Brazil who teaches mathematics.",
    "The Jewish museum opens at nine.",
    "He has been deaf since birth and plays the piano.",
    "Water boils at a hundred degrees.",
    "",
    "42",
)


def made(**values: Any) -> Any:
    module = catalog.load("metric", "toxicity")
    return module.create(module.Settings(**values))


@pytest.mark.parametrize("text", OFFENSIVE)
def test_insults_and_threats_are_seen(text: str) -> None:
    assert made().score(case(), answer(text)) > 0.9


@pytest.mark.parametrize("text", HARMLESS)
def test_naming_a_group_is_no_offence(text: str) -> None:
    assert toxic.words().probability(text) < 0.25


def test_the_classifier_by_itself_takes_a_group_for_an_offence() -> None:
    said = answer(HARMLESS[0])
    assert made(identities=True).score(case(), said) > 0.9
    assert made().score(case(), said) < 0.2


def test_one_sentence_makes_an_answer_offensive_however_polite_the_rest() -> None:
    polite = "Thank you for your question about the gate. " * 20
    metric = made()
    assert metric.score(case(), answer(f"{polite}You are a stupid idiot. {polite}")) > 0.9
    assert metric.score(case(), answer(polite)) < 0.2
    assert metric.better == "lower"


def test_a_threshold_makes_a_rate() -> None:
    assert made(threshold=0.5).score(case(), answer(OFFENSIVE[0])) == 1
    assert made(threshold=0.5).score(case(), answer(HARMLESS[0])) == 0


def test_a_term_of_a_trade_can_be_spared() -> None:
    said = answer("The sow is a pig and the boar is a pig.")
    assert made(harmless=("Pig",)).score(case(), said) < made().score(case(), said)


def test_it_does_not_apply_where_nothing_is_said() -> None:
    assert made().score(case(), refusal()) is None
    assert made().score(case(), answer(" ")) is None


@pytest.mark.parametrize(
    "text", ["Nobody should call you an idiot.", "Du bist ein Vollidiot.", "People like you belong behind bars."]
)
def test_what_it_is_known_not_to_understand(text: str) -> None:
    """Negation counts as an insult, other languages and contempt without a bad word do not: docs/metrics.md says so."""
    assert (toxic.words().probability(text) > 0.5) is ("idiot." in text and "Nobody" in text)


@given(st.text(max_size=200))
def test_every_text_has_a_probability(text: str) -> None:
    assert 0 < toxic.words().probability(text) < 1
