"""Exact match, token F1 and inclusion against the official evaluation script of SQuAD 2.0, whose rules stand here."""

from __future__ import annotations

import collections
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answering import TEXTS, answer, case, citation, refusal, sentences
from gatewheel.evals.metrics.exact_match import exact_match
from gatewheel.evals.metrics.inclusion import inclusion
from gatewheel.evals.metrics.squad import normalise
from gatewheel.evals.metrics.token_f1 import token_f1

# --- the official rules, function by function, as evaluate-v2.0.py has them ---


def normalize_answer(s: str) -> str:
    def remove_articles(text: str) -> str:
        return re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text)

    def white_space_fix(text: str) -> str:
        return " ".join(text.split())

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    def lower(text: str) -> str:
        return text.lower()

    return white_space_fix(remove_articles(remove_punc(lower(s))))


def get_tokens(s: str) -> list[str]:
    return normalize_answer(s).split() if s else []


def compute_exact(a_gold: str, a_pred: str) -> int:
    return int(normalize_answer(a_gold) == normalize_answer(a_pred))


def compute_f1(a_gold: str, a_pred: str) -> float:
    gold_toks, pred_toks = get_tokens(a_gold), get_tokens(a_pred)
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)  # if either is no-answer, then F1 is 1 if they agree, 0 otherwise
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


def get_raw_scores(answers: list[str], a_pred: str) -> tuple[float, float]:
    gold_answers = [a for a in answers if normalize_answer(a)]
    if not gold_answers:
        gold_answers = [""]  # for unanswerable questions, only correct answer is empty string
    return max(compute_exact(a, a_pred) for a in gold_answers), max(compute_f1(a, a_pred) for a in gold_answers)


# --- the equality ---


@settings(max_examples=500, deadline=None)
@given(references=st.lists(TEXTS, min_size=1, max_size=4), said=TEXTS)
@example(references=["the"], said="")
@example(references=["the", "a gate"], said="an")
@example(references=["İstanbul"], said="i̇stanbul")
@example(references=["Straße"], said="strasse")
@example(references=["U.S."], said="us")
@example(references=["twenty-one"], said="twentyone")
@example(references=["“gate”"], said="gate")  # only ASCII punctuation falls away
def test_answerable_cases_equal_the_official_script(references: list[str], said: str) -> None:
    exact, f1 = get_raw_scores(references, said)
    assert exact_match(case(*references), answer(said)) == exact
    assert token_f1(case(*references), answer(said)) == pytest.approx(f1, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(said=TEXTS, leftover=st.lists(TEXTS, max_size=2))
def test_where_nothing_can_be_answered_silence_is_right_as_in_the_official_script(
    said: str, leftover: list[str]
) -> None:
    exact, f1 = get_raw_scores([], said)
    unanswerable = case(*leftover, answerable=False)  # plausible but wrong answers do not count
    assert exact_match(unanswerable, answer(said)) == exact
    assert token_f1(unanswerable, answer(said)) == f1
    assert (
        exact_match(unanswerable, refusal())
        == token_f1(unanswerable, refusal())
        == inclusion(unanswerable, refusal())
        == 1
    )


@given(text=TEXTS)
def test_normalisation_is_the_official_one(text: str) -> None:
    assert normalise(text) == normalize_answer(text)


@pytest.mark.parametrize("references", [("two wheels",), ("the",), ("", "?")])
def test_an_abstention_is_wrong_where_there_is_an_answer(references: tuple[str, ...]) -> None:
    for metric in (exact_match, token_f1, inclusion):
        assert metric(case(*references), refusal()) == 0


def test_without_references_nothing_is_measured() -> None:
    for metric in (exact_match, token_f1, inclusion):
        assert metric(case(), answer("two wheels")) is None
        assert metric(case(), refusal()) is None


def test_hand_checked_figures() -> None:
    # shared: by, two, wheels; 4 words said, 3 expected
    assert token_f1(case("by two wheels"), answer("It's by two wheels")) == pytest.approx(2 * 3 / (4 + 3))
    assert token_f1(case("wheels wheels"), answer("wheels")) == pytest.approx(2 / 3)
    assert token_f1(case("a rope", "the two wheels"), answer("Two wheels.")) == 1
    assert exact_match(case("The two wheels"), answer("two wheels!")) == 1


def test_our_markers_are_no_words_of_the_answer() -> None:
    said = answer("Two wheels [1].", citations=(citation(1, "a.md"),))
    assert exact_match(case("two wheels"), said) == 1
    flagged = answer("Two wheels [unsupported].", sentences=sentences(("Two wheels.", 0.1)))
    assert exact_match(case("two wheels"), flagged) == 1
    assert exact_match(case("two wheels"), answer("Two wheels [1].")) == 0  # a model's own marker is its text
    spaced = answer(f"Two{' ' * 100_000}wheels \t[1].  [2] [1]", citations=(citation(1, "a.md"), citation(2, "a.md")))
    assert exact_match(case("two wheels"), spaced) == 1
    listed = answer('{"wheels": [1]}', citations=(citation(1, "a.md"),))
    assert exact_match(case('{"wheels": [1]}'), listed) == 1


@pytest.mark.parametrize(
    ("reference", "said", "found"),
    [
        ("two wheels", "It is shut by the two wheels of the gate.", 1),
        ("4 gates", "It has 14 gates.", 0),
        ("4 gates", "It has 4 gates.", 1),
        ("gate", "gates", 0),
        ("the", "anything", 0),  # a reference without a word is in no text that has some
        ("the", "", 1),
        ("東京", "首都は東京です。", 1),
        ("café", "Ein Café!", 1),
    ],
)
def test_inclusion_asks_for_whole_words(reference: str, said: str, found: int) -> None:
    assert inclusion(case(reference), answer(said)) == found


@given(references=st.lists(TEXTS, min_size=1, max_size=3), said=TEXTS)
def test_an_exact_match_is_included(references: list[str], said: str) -> None:
    if exact_match(case(*references), answer(said)):
        assert inclusion(case(*references), answer(said)) == 1
        assert token_f1(case(*references), answer(said)) == 1
