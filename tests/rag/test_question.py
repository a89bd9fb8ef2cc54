"""A question is cleaned without harm to any script, and a follow-up takes along what it points back at."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Message
from gatewheel.rag.question import MAX_CHARACTERS, clean, standalone

HISTORY = (
    Message(role="user", content="How is a valve closed?"),
    Message(role="assistant", content="Turn it clockwise."),
    Message(role="user", content="Which pump leaks?"),
    Message(role="assistant", content="The old pump."),
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  Why?\n", "Why?"),
        ("a\x00b\x1b[0m", "a b [0m"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Cafe\u0301", "Café"),
        ("infor\u00admation\u200b\u202e\ufeff", "information"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀?", "👩\u200d🚀?"),
        ("broken \ud800 pair", "broken   pair"),
        ("東京は？", "東京は？"),
    ],
)
def test_what_no_one_typed_goes_and_the_rest_stays(raw: str, expected: str) -> None:
    assert clean(raw) == expected


@pytest.mark.parametrize("raw", ["", " \n\t", "\x00", "\u200b\ufeff"])
def test_an_empty_question_is_told(raw: str) -> None:
    with pytest.raises(UserError, match=r"the question is empty; ask e.g."):
        clean(raw)


def test_a_question_may_be_long_but_not_endless() -> None:
    assert len(clean("a" * MAX_CHARACTERS)) == MAX_CHARACTERS
    with pytest.raises(UserError, match="has 8001 characters, more than 8000; put long text into a document"):
        clean("a" * (MAX_CHARACTERS + 1))


@given(raw=st.text(max_size=40))
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    try:
        once = clean(raw)
    except UserError:
        return
    assert clean(once) == once
    assert once == unicodedata.normalize("NFC", once).strip()
    once.encode("utf-8")
    assert "\0" not in once


@pytest.mark.parametrize(
    "question", ["Why?", "Can it be repaired at home by hand?", "And what about the new pump then?"]
)
def test_a_follow_up_carries_the_users_previous_question(question: str) -> None:
    assert standalone(question, HISTORY) == f"Which pump leaks? {question}"
    assert standalone(question, ()) == question
    assert standalone(question, HISTORY[1:2]) == question


def test_a_question_that_names_its_subject_stands_alone() -> None:
    question = "Which materials does the manual recommend for seals?"
    assert standalone(question, HISTORY) == question
