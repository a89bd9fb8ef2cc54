"""The 25 instructions of IFEval by hand, the two criteria, and the figures of prompts and of instructions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from answering import TEXTS, answer, case, refusal
from gatewheel.evals.metrics.instructions.checks import CHECKS, asked, followed, loosened
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import UserError

# instruction, kwargs, texts that follow it, texts that do not; verdicts of the reference implementation
BY_HAND: tuple[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ("NASA and the FBI", "I said NO", "WELL-KNOWN U.S. things"),
        ("Nasa and the FBI", "nothing"),
    ),
    (
        "change_case:english_capital",
        {},
        ("THIS IS A LETTER TO A FRIEND WHO LIKES WHEELS.",),
        ("This is a letter.", "DAS IST EIN BRIEF AN EINEN GUTEN FREUND AUS DER STADT.", "1 2 3"),
    ),
    (
        "change_case:english_lowercase",
        {},
        ("this is a letter to a friend who likes wheels.",),
        ("This is a letter.", "das ist ein brief an einen guten freund aus der stadt."),
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a poem. "},
        ("write a poem.\n\nThe wheel turns.", "  Write a poem. Yes."),
        ("Sure! Write a poem.", "Write a Poem"),
    ),
    (
        "combination:two_responses",
        {},
        ("One.\n******\nTwo.", "******One****** Two ******"),
        ("One.", "One.******One.", "One.******Two.******Three.", "One.************Two."),
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ("[name] of [place]", "[[a]] [b]", "[] []"),
        ("[name]", "[na\nme] [x]"),
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ("Dear you.\nP.S. I forgot", "p. s. late", "inside of it P.S. counts"),
        ("PS I forgot", "P.S"),
    ),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ("P. P. S.", "p.p.s"), ("P.S.",)),
    ("detectable_content:postscript", {"postscript_marker": "N.B."}, ("n.b. this",), ("nob this",)),
    (
        "detectable_format:constrained_response",
        {},
        ("My answer is yes.", "Well. My answer is maybe. Or not."),
        ("my answer is yes.", "Yes."),
    ),
    ("detectable_format:json_format", {}, ('{"a": [1]}', '```json\n{"a": 1}\n```', "1"), ("{'a': 1}", "[" * 90_000)),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        ("Day 1\nup\nDay 2\ndown", "Day1 Day2 Day3"),
        ("Day 1 and Day two", "day 1 day 2"),
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ("* one\n  * two", "- one\n\n-two", "*one\n- two"),
        ("* one", "* 1\n* 2\n* 3", "** one\n** two"),
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ("*one* and *two*", "**one** and *two*"),
        ("*one*", "**one**", "* one\n* two", "** **"),
    ),
    ("detectable_format:title", {}, ("<<a title>>", "x <<<deep>>> y", "<<a>> and <<b>>"), ("<<>>", "<a>", "<<a\nb>>")),
    ("keywords:existence", {"keywords": ["wheel", "c++"]}, ("Wheels in C++",), ("Wheels in C",)),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["wheel", "gate"]},
        ("Wheels and gates", "nothing"),
        ("A Wheel.", "the gate"),
    ),
    (
        "keywords:frequency",
        {"keyword": "wheel", "frequency": 2, "relation": "less than"},
        ("one wheel", "none"),
        ("wheel, Wheels", "wheelwheel"),
    ),
    (
        "keywords:letter_frequency",
        {"letter": "E", "let_frequency": 3, "let_relation": "at least"},
        ("eEe", "seven trees"),
        ("ee",),
    ),
    (
        "language:response_language",
        {"language": "de"},
        ("Es war einmal ein König, der hatte eine Tochter.", "42"),
        ("There was once a king who had a daughter.",),
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        ("First.\n\nThen, later", "First.\n\n'then' later"),
        ("Then\n\nFirst", "First.\n\nThen\n\nLast", "First.\n\nThence"),
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ("one\n***\ntwo", "***\none***two\n***\n"),
        ("one", "one\n\ntwo", "one***two***three", "one*** ***two"),
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "at least"},
        ("One. Two! Three?", "Dr. No came. He sat. He left."),
        (
            "One. Two!",
            "Dr. No came at 5 p.m. and left.",
            "one\ntwo\nthree",
            "He lives in the U.S. and works. He is old.",
        ),
    ),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "less than"},
        ("one two", "", "..."),
        ("one two three", "don't stop"),
    ),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["C++", ".NET"]},
        ("C and net", "AC++"),
        ("I like C++ a lot", "(.NET)"),
    ),
    ("punctuation:no_comma", {}, ("no", "1.5"), ("1,5",)),
    (
        "startend:end_checker",
        {"end_phrase": "Is there more? "},
        ('Yes. Is there more?"', "is there MORE?\n"),
        ("Is there more? Yes.",),
    ),
    ("startend:quotation", {}, ('"whole"', ' "" '), ('"', '"begun', "“whole”")),
)


def check(name: str, kwargs: dict[str, Any], text: str) -> bool:
    [verdict] = followed(asked(case(meta={"checks": [{"id": name, "kwargs": kwargs}]})), (text,))
    return verdict


@pytest.mark.parametrize(("name", "kwargs", "right", "wrong"), BY_HAND)
def test_instructions_by_hand(
    name: str, kwargs: dict[str, Any], right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    assert [text for text in right if not check(name, kwargs, text) and text.strip()] == []
    assert [text for text in wrong if check(name, kwargs, text)] == []


def test_all_25_are_tried_by_hand() -> None:
    assert {name for name, *_ in BY_HAND} == set(CHECKS)
    assert len(CHECKS) == 25


def test_a_blank_answer_follows_nothing() -> None:
    assert not check("punctuation:no_comma", {}, " \n")
    assert not check("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "")


def test_the_loose_criterion_forgives_a_line_around_and_stars() -> None:
    said = "Sure, here it is:\n**my answer is small**\nHope this helps!"
    small = {"checks": [{"id": "change_case:english_lowercase", "kwargs": {}}, {"id": "punctuation:no_comma"}]}
    strict, loose = made("instructions-strict"), made("instructions-loose")
    assert strict.score(case(meta=small), answer(said)) == 0
    assert loose.score(case(meta=small), answer(said)) == 1
    assert loosened("a\n*b*\nc") == ("a\n*b*\nc", "*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b")


@settings(max_examples=50)
@given(TEXTS)
def test_what_is_followed_strictly_is_followed_loosely(text: str) -> None:
    checks = [{"id": name, "kwargs": kwargs} for name, kwargs, *_ in BY_HAND if "language" not in name]
    bound = asked(case(meta={"checks": checks}))
    assert all(
        loose or not strict
        for strict, loose in zip(followed(bound, (text,)), followed(bound, loosened(text)), strict=True)
    )


def test_a_prompt_counts_once_and_an_instruction_for_itself() -> None:
    checks = [{"id": "punctuation:no_comma"}, {"id": "startend:quotation"}, {"id": "detectable_format:title"}]
    asks_three, asks_one = case(meta={"checks": checks}), case(meta={"checks": checks[:1]})
    prompt, each = made("instructions-strict"), made("instructions-strict", level="instruction")
    assert prompt.score(asks_three, answer("no")) == 0
    assert prompt.score(asks_one, answer("no")) == 1
    rows = [each.score(asks_three, answer("no")), each.score(asks_one, answer("no"))]
    assert rows == [(1, 3), (1, 1)]
    assert each.figure(np.array(rows)) == 0.5  # 2 of 4, not the mean of a third and one
    for metric in (prompt, each):
        assert metric.score(case(), answer("no")) is None
    assert prompt.score(asks_one, refusal()) == 0


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ({"id": "punctuation:no_coma"}, "no check 'punctuation:no_coma'; did you mean 'punctuation:no_comma'"),
        ({"kwargs": {}}, "no check 'None'"),
        ("punctuation:no_comma", "no check 'None'"),
        ({"id": "punctuation:no_comma", "kwargs": ["a"]}, "kwargs: must be an object"),
        ({"id": "keywords:existence", "kwargs": {}}, "keywords:existence: kwargs: keywords: Missing"),
        ({"id": "keywords:existence", "kwargs": {"keywords": 3}}, "kwargs: keywords: Input should be"),
        ({"id": "punctuation:no_comma", "kwargs": {"comma": 1}}, "kwargs: comma: Unexpected keyword"),
        (
            {"id": "length_constraints:number_words", "kwargs": {"num_words": 3, "relation": "around"}},
            "relation: Input should be 'less than' or 'at least'",
        ),
    ],
)
def test_a_check_that_cannot_be_made_names_the_case(each: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"case 'case': .*{said}"):
        made("instructions-strict").score(case(meta={"checks": [each]}), answer("no"))


@pytest.mark.parametrize("checks", [5, "punctuation:no_comma", {"id": "punctuation:no_comma"}])
def test_checks_that_are_no_list_are_told_with_the_cure(checks: Any) -> None:
    with pytest.raises(UserError, match=r"case 'case': meta\.checks: must be a list, got .*; write \[{"):
        made("instructions-strict").score(case(meta={"checks": checks}), answer("no"))


def test_kwargs_that_say_nothing_are_left_out() -> None:
    given = {"num_words": 2, "relation": "at least", "keyword": None}
    assert check("length_constraints:number_words", given, "two words")


def made(name: str, **values: Any) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(**values))
