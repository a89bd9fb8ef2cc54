"""Each sentence is checked as it comes; markers point at exact words; what is not supported is dropped or flagged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewheel.embeddings import none
from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Hit, Passage
from gatewheel.kernel.ports import Support
from gatewheel.rag import grounding
from gatewheel.rag.output import Abstained, Checked, Evidence, Fields, Prose

SHUT = "The main valve is shut. It was painted green in 1994."
PUMP = "A pump moves 1,200 litres of water. The pump runs at night."
PASSAGES = (
    Passage(id="p1", source="valves.md", span=(100, 100 + len(SHUT)), text=SHUT, page=3),
    Passage(id="p2", source="pumps.md", span=(0, len(PUMP)), text=PUMP),
)
TEXTS = {"valves.md": " " * 100 + SHUT, "pumps.md": PUMP}
NOTHING = "Your documents do not say."


class Verbatim:
    """A strict checker: a claim is supported where its words, without the stop, stand in a passage."""

    support_threshold = 0.5
    threshold = 0.5

    def support(self, claims: Sequence[str], passages: Sequence[Passage]) -> list[Support]:
        return [self._one(claim.rstrip(".!? "), passages) for claim in claims]

    def _one(self, claim: str, passages: Sequence[Passage]) -> Support:
        for index, passage in enumerate(passages):
            if claim and (at := passage.text.find(claim)) >= 0:
                start = passage.span[0] + at
                return Support(score=0.9, passage=index, start=start, end=start + len(claim))
        return Support(score=0.1, passage=0, start=0, end=0)

    def answerable(self, _question: str, _hits: Sequence[Hit]) -> float:
        return 1.0


def prose(pieces: Sequence[str], *, keep: bool = False, passages: Sequence[Passage] = PASSAGES) -> Prose:
    output = Prose(Evidence(Verbatim(), passages), abstention=NOTHING, keep_unsupported=keep)
    for piece in pieces:
        output.feed(piece)
    output.finish()
    return output


def test_a_supported_sentence_carries_the_marker_of_its_exact_words() -> None:
    output = prose(["The pump runs at night. The main valve is shut! The pump runs at night, always."])
    assert output.text == "The pump runs at night [1]. The main valve is shut [2]!"
    assert not output.abstained
    for citation in output.citations:
        assert TEXTS[citation.source][slice(*citation.span)] == citation.quote
    assert [(c.n, c.quote, c.page, c.passage) for c in output.citations] == [
        (1, "The pump runs at night", None, "p2"),
        (2, "The main valve is shut", 3, "p1"),
    ]
    assert [(s.supported, s.citation) for s in output.sentences] == [(True, 1), (True, 2), (False, None)]


def test_an_unsupported_sentence_is_dropped_or_flagged() -> None:
    draft = ["The main valve is shut. It is red (I think)."]
    assert prose(draft).text == "The main valve is shut [1]."
    assert prose(draft, keep=True).text == "The main valve is shut [1]. It is red (I think) [unsupported]."


def test_an_answer_without_support_is_an_abstention() -> None:
    for draft in (["Nobody knows. I guess so."], [""], ["   "], ["[1]"], ["..."]):
        for keep in (False, True):
            output = prose(draft, keep=keep)
            assert (output.text, output.abstained, output.citations) == (NOTHING, True, [])
    assert prose(["The main valve is shut."], passages=()).abstained
    assert Abstained(NOTHING).abstained


def test_the_models_own_markers_and_repetitions_go() -> None:
    output = prose(["The main valve is shut [2]. The main valve is shut [1, 3]. [4] The pump runs at night[2]"])
    assert output.text == "The main valve is shut [1]. The pump runs at night [2]"


def test_the_same_words_are_cited_once() -> None:
    output = prose(["The pump runs at night. The pump runs at night!"])
    assert output.text == "The pump runs at night [1]. The pump runs at night [1]!"
    assert len(output.citations) == 1


def test_an_empty_span_supports_nothing_even_when_the_threshold_is_0() -> None:
    checker = Verbatim()
    checker.support_threshold = 0.0
    sentence = Evidence(checker, PASSAGES).judge("Unheard of")
    assert (sentence.supported, sentence.citation) == (False, None)


def test_sentences_are_told_while_the_draft_is_written() -> None:
    told: list[Checked] = []
    output = Prose(Evidence(Verbatim(), PASSAGES), abstention=NOTHING, on_sentence=told.append)
    output.feed("The main valve is shut. The ")
    assert told == []
    output.feed("pump ")
    assert [one.shown for one in told] == ["The main valve is shut [1]."]
    output.feed("runs on Mars. It")
    output.feed(" was")
    assert [one.shown for one in told] == ["The main valve is shut [1].", ""]
    output.feed(" painted green in 1994")
    output.finish()
    assert [one.shown for one in told] == ["The main valve is shut [1].", "", "It was painted green in 1994 [2]"]
    assert [one.sentence for one in told] == output.sentences


PARTS = st.sampled_from(
    [
        "The main valve is shut. ",
        "The pump runs at night.",
        " ",
        "\n\n",
        "- ",
        "1. ",
        "Acme Inc. The",
        "rmal ",
        "No. 5",
        "e.g. ",
        "see Fig. ",
        "yes. no. Maybe. ",
        "第一。",
        "」",
        "第二！",
        "# Head\n",
        "?!",
        "... ",
        "[1]",
        " U.S. A",
        "x",
    ]
)


@given(
    parts=st.lists(PARTS | st.text(max_size=4), max_size=12),
    cuts=st.lists(st.integers(0, 120), max_size=10),
    keep=st.booleans(),
)
@example(parts=["Acme Inc. The", "rmal Co. ended. ", "B"], cuts=[13], keep=True)
@example(parts=["yes. no. Maybe"], cuts=[8], keep=True)
@example(parts=["第一。」第二。", "第三"], cuts=[3], keep=True)
def test_pieces_of_any_size_give_the_same_answer(parts: list[str], cuts: list[int], keep: bool) -> None:
    draft = "".join(parts)
    places = sorted({0, len(draft), *(cut for cut in cuts if cut < len(draft))})
    pieces = [draft[a:b] for a, b in itertools.pairwise(places)]
    whole, streamed, letters = (prose(some, keep=keep) for some in ([draft], pieces, list(draft)))
    for one in (streamed, letters):
        assert (one.text, one.sentences, one.citations) == (whole.text, whole.sentences, whole.citations)
    for citation in whole.citations:
        assert TEXTS[citation.source][slice(*citation.span)] == citation.quote


def fields(draft: str) -> Fields:
    output = Fields(Evidence(Verbatim(), PASSAGES), abstention=NOTHING)
    for letter in draft:
        output.feed(letter)
    output.finish()
    return output


def test_every_value_of_a_json_answer_is_checked_and_none_is_dropped() -> None:
    draft = {
        "valve": "main valve",
        "pump": {"litres": "1,200", "name": "unknown"},
        "list": ["green", 1994, True, None, ""],
    }
    output = fields(json.dumps(draft))
    assert json.loads(output.text) == draft
    assert not output.abstained
    assert [(s.text, s.supported) for s in output.sentences] == [
        ('$.valve: "main valve"', True),
        ('$.pump.litres: "1,200"', True),
        ('$.pump.name: "unknown"', False),
        ('$.list[0]: "green"', True),
        ("$.list[1]: 1994", True),
        ("$.list[2]: true", False),
    ]
    assert [citation.quote for citation in output.citations] == ["main valve", "1,200", "green", "1994"]
    assert fields('{"valve": "blue"}').text == NOTHING


@pytest.mark.parametrize("draft", ['{"valve": "mai', "", "no JSON", "[" * 5000])
def test_json_that_was_cut_off_is_told(draft: str) -> None:
    with pytest.raises(ModelError, match=r"JSON is not whole: .*; raise"):
        fields(draft)


def test_citations_of_the_real_checker_are_exact_words_too() -> None:
    checker = grounding.create(grounding.Settings(support=0.0), encoder=none.create(none.Settings()))
    output = Prose(Evidence(checker, PASSAGES), abstention=NOTHING)
    output.feed("The main valve is shut, and it was painted green. A pump moves water at night.")
    output.finish()
    assert len(output.citations) == 2
    for citation in output.citations:
        assert TEXTS[citation.source][slice(*citation.span)] == citation.quote


def test_a_sentence_whose_only_news_is_a_function_word_is_still_an_answer() -> None:
    passages = [Passage(id="m", source="m.md", span=(0, 28), text="The moon base opens in May.\n")]
    question = "When does the moon base open?"
    output = Prose(Evidence(Verbatim(), passages), question=question, abstention=NOTHING)
    output.feed("When does the moon base open? The moon base opens. The moon base opens in May.")
    output.finish()
    assert output.text == "The moon base opens in May [1]."
