"""Words that differ: what stayed and went is the one text, what stayed and came is the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewheel.studio.words import MOST, difference

text = st.text(alphabet="ab .,\né", max_size=60)


@given(text, text)
def test_both_texts_can_be_read_out_of_the_steps(before: str, after: str) -> None:
    steps = difference(before, after)
    if steps is None:
        assert before != after
        return
    assert "".join(part for kind, part in steps if kind != "came") == before
    assert "".join(part for kind, part in steps if kind != "went") == after


def test_texts_too_long_or_too_far_apart_are_not_told_word_by_word() -> None:
    assert difference("a " * MOST, "b") is None
    assert difference("the harbour is closed today", "please ask somebody else") is None
    assert difference("the door is shut", "the door is open") == [
        ("same", "the door is "),
        ("went", "shut"),
        ("came", "open"),
    ]
