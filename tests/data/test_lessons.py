"""OpenAI's fine-tuning lines as cases: every answer that is to be learned, after what was said before it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.data import lessons
from gatewheel.kernel.errors import UserError

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip())
)


def turns(*said: str, **weights: int) -> list[dict[str, Any]]:
    """User and assistant in turn; `a1=0` is the weight of the first answer."""
    every: list[dict[str, Any]] = [
        {"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)
    ]
    for name, weight in weights.items():
        every[2 * int(name[1:]) - 1]["weight"] = weight
    return every


def learned(messages: list[dict[str, Any]]) -> list[tuple[list[str], str, str]]:
    return [
        ([turn.content for turn in case.history], case.question, *case.references)
        for case in lessons.cases({"messages": messages})
    ]


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), st.none() | TEXT)
def test_each_answer_is_learned_word_for_word(pairs: list[tuple[str, str]], system: str | None) -> None:
    before = [{"role": "system", "content": system}] if system else []
    said = [text for pair in pairs for text in pair]
    expected = [
        ([*([system] if system else []), *said[: 2 * place]], question, answer)
        for place, (question, answer) in enumerate(pairs)
    ]
    assert learned([*before, *turns(*said)]) == expected


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (turns("a", "b", "c", "d", a1=0), [(["a", "b"], "c", "d")]),
        (turns("a", "b", "c", "d", a2=0), [([], "a", "b")]),
        (turns("a", "b", "c", "d", "e"), [([], "a", "b"), (["a", "b"], "c", "d")]),
        ([{"role": "user", "content": "a"}, *turns("b", "c")], [(["a"], "b", "c")]),
        ([{"role": "assistant", "content": "hello", "weight": 0}, *turns("b", "c")], [(["hello"], "b", "c")]),
    ],
)
def test_what_is_not_to_be_learned_is_only_said_before(messages: Any, expected: Any) -> None:
    assert learned(messages) == expected


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "no 'messages'"),
        ({"messages": []}, "nothing that is to be learned"),
        ({"messages": turns("a")}, "nothing that is to be learned"),
        ({"messages": turns("a", "b", a1=0)}, "nothing that is to be learned"),
        ({"messages": turns("a", "b", "c", "d")[1:]}, "does not follow a question"),
        ({"messages": [*turns("a", "b"), {"role": "assistant", "content": "c"}]}, "does not follow a question"),
        ({"messages": [*turns("a"), {"role": "tool", "content": "b"}, *turns("", "c")[1:]]}, "tools"),
        ({"messages": turns("a", "b"), "functions": [{"name": "f"}]}, "tools"),
    ],
)
def test_what_cannot_be_learned_as_it_stands_is_refused(row: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        lessons.cases(row)
    [fault] = lessons.read([b"\n", json.dumps(row).encode()][1:])
    assert isinstance(fault, lessons.Fault)
    assert fault.line == 1
