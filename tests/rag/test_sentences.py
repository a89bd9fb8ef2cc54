"""Sentences: nothing is lost, and the places where a careless splitter goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.rag.sentences import sentence_spans

LAYOUT = ("\r\n", "\n\n", "Dr.", "U.S.", "e.g. ", "1. ", "- ", "# ", "| a |\n", "word ", "Word", "文", "e\u0301")
PIECES = st.sampled_from([*".!?…。।؟ \n\r\t\"')]", *LAYOUT])
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@given(TEXTS)
def test_sentences_hold_everything_but_white_space_in_order(text: str) -> None:
    last = 0
    for start, end in sentence_spans(text):
        assert last <= start < end <= len(text)
        assert not text[last:start].strip()
        assert text[start:end] == text[start:end].strip()
        last = end
    assert not text[last:].strip()


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. No paid $3.50 on Jan. 5.", "Why?", "“Ask him!” he said."],
        ["He lives in the U.S.", "The house is big.", "The U.S. Government said no."],
        ["See e.g. Figure 2, i.e. the plot.", "It costs approx. 5 USD."],
        ["J. R. R. Tolkien wrote it.", "J.K. Rowling did not.", "Did I?", "So did I.", "Nobody else did."],
        ["Wait... what?", "I mean…", "No. 5 is alive.", "No.", "That is wrong."],
        ["Version v1.2.3 is out.", "See https://a.b/c.html?x=1.", "Done."],
        ["It ended at 5 p.m.", "Then we left.", "At 6 p.m. Monday we ate."],
        ["Smith et al. (2010) say so.", "They sell modern art.", "Acme Inc. buys it."],
        ["(This is one.)", '"And two."', "Three!", "*Four.*", "Five."],
        ["Claimed before.[12]", "Claimed again."],
    ],
)
def test_stops_inside_a_sentence_do_not_end_it(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气很好。我们去公园吧！好吗？", ["今天天气很好。", "我们去公园吧！", "好吗？"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        ("هل أنت بخير؟ نعم۔", ["هل أنت بخير؟", "نعم۔"]),
    ],
)
def test_other_scripts_end_sentences_with_their_own_stops(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_headings_list_items_rows_and_paragraphs_are_sentences_of_their_own() -> None:
    listed = "# Title\nText one. Text two.\n- item one\n- item two\n1. First\n2. Second\n\n"
    text = listed + "A wrapped\nline\n| a | b |\n| c | d |"
    assert sentences(text) == [
        *("# Title", "Text one.", "Text two.", "- item one", "- item two", "1. First", "2. Second"),
        *("A wrapped\nline", "| a | b |", "| c | d |"),
    ]


def test_a_text_without_capitals_still_has_sentences() -> None:
    assert sentences("hello. how are you? fine, e.g. well.") == ["hello.", "how are you?", "fine, e.g. well."]


@pytest.mark.parametrize("unit", [".", ". ", '.")', "\n", "\n \t", "#", ".[1][1]", "A.", "# \n", "`", "a", "。", "\r"])
def test_a_long_run_of_anything_takes_linear_time(unit: str) -> None:
    # A quadratic pattern would need hours for this and run into the test's timeout.
    text = unit * (1_000_000 // len(unit))
    assert len("".join("".join(sentences(text)).split())) == len("".join(text.split()))
