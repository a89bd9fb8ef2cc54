"""The checker: what it lets pass, what it stops, and that its spans point at the words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.embeddings import none, openvino
from gatewheel.kernel.nouns import Hit, Passage
from gatewheel.rag import grounding
from gatewheel.rag.grounding import Grounding

BRIDGE = (
    "The Aster Bridge was opened in 1931. It was designed by Maud Ellery and carries two lanes of traffic over the "
    "Lorne river. Cyclists are not allowed on the bridge in winter."
)
RIVER = "The Lorne river rises in the Hale hills. It is 84 miles long and flows through Penworth into the Grey Sea."


def passage(text: str, *, name: str = "bridge.md", offset: int = 100) -> Passage:
    return Passage(id=name, source=name, span=(offset, offset + len(text)), text=text)


PASSAGES = [passage(BRIDGE), passage(RIVER, name="river.md", offset=7)]


@pytest.fixture(scope="module", params=["with the encoder", "by words alone"])
def checker(request: pytest.FixtureRequest) -> Grounding:
    encoder = openvino.create(openvino.Settings()) if "with the" in request.param else none.create(none.Settings())
    return grounding.create(grounding.Settings(), encoder=encoder)


@pytest.fixture(scope="module")
def by_words() -> Grounding:
    return grounding.create(grounding.Settings(), encoder=none.create(none.Settings()))


def passes(checker: Grounding, claim: str) -> bool:
    return checker.support([claim], PASSAGES)[0].score >= checker.support_threshold


@pytest.mark.parametrize(
    "claim",
    [
        "The Aster Bridge was opened in 1931.",
        "It was designed by Maud Ellery.",
        "Cyclists are not allowed on the bridge in winter.",
        "The bridge was designed by Maud Ellery and carries two lanes of traffic.",
        "The river flows through Penworth into the Grey Sea.",
        "The Aster Bridge opened in 1931.",
    ],
)
def test_what_the_documents_say_passes(checker: Grounding, claim: str) -> None:
    assert passes(checker, claim)


@pytest.mark.parametrize(
    "claim",
    [
        "The Aster Bridge was opened in 1951.",
        "The Aster Bridge was designed by John Penworth.",
        "The Aster Bridge was not opened in 1931.",
        "Cyclists are allowed on the bridge in winter.",
        "The Lorne river is 48 miles long.",
        "The bridge was repaired after a fire and painted green.",
        "Our gift shop is open on Sundays.",
    ],
)
def test_what_they_do_not_say_is_stopped(checker: Grounding, claim: str) -> None:
    assert not passes(checker, claim)


def test_the_span_points_at_the_words_in_the_document(checker: Grounding) -> None:
    bridge, river = checker.support(
        ["It was designed by Maud Ellery.", "It is 84 miles long and flows to the Grey Sea."], PASSAGES
    )
    assert (bridge.passage, river.passage) == (0, 1)
    assert "Maud Ellery" in BRIDGE[bridge.start - 100 : bridge.end - 100]
    assert "84 miles long" in RIVER[river.start - 7 : river.end - 7]


@pytest.mark.parametrize("claim", ["", "   ", "!!!", "It is.", "🙂", "\x00"])
def test_a_claim_without_content_has_no_support(checker: Grounding, claim: str) -> None:
    assert checker.support([claim], PASSAGES)[0].score == 0.0


def test_nothing_is_supported_by_nothing(checker: Grounding) -> None:
    assert checker.support([], PASSAGES) == []
    for nothing in ([], [passage("")], [passage("   \n")]):
        found = checker.support(["The Aster Bridge was opened in 1931."], nothing)[0]
        assert (found.score, found.start, found.end) == (0.0, 0, 0)


def test_a_claim_does_not_depend_on_its_neighbours(checker: Grounding) -> None:
    claims = ["The Aster Bridge was opened in 1931.", "The Lorne river is 48 miles long."]
    together = checker.support(claims, PASSAGES)
    alone = [checker.support([claim], PASSAGES)[0] for claim in claims]
    assert [round(s.score, 2) for s in together] == [round(s.score, 2) for s in alone]


@settings(deadline=None, max_examples=60)
@given(claim=st.text(max_size=120), texts=st.lists(st.text(max_size=300), max_size=4), offset=st.integers(0, 10**6))
def test_any_text_gives_a_score_and_a_span_inside_its_passage(
    by_words: Grounding, claim: str, texts: list[str], offset: int
) -> None:
    passages = [passage(text, name=str(n), offset=offset) for n, text in enumerate(texts)]
    found = by_words.support([claim], passages)[0]
    assert 0.0 <= found.score <= 1.0
    if found.score:
        start, end = passages[found.passage].span
        assert start <= found.start < found.end <= end
    else:
        assert (found.start, found.end) == (0, 0)


@settings(deadline=None, max_examples=40)
@given(year=st.integers(1000, 2100).filter(lambda year: year != 1931))
def test_a_wrong_year_never_passes(by_words: Grounding, year: int) -> None:
    assert not passes(by_words, f"The Aster Bridge was opened in {year}.")


def hits(checker: Grounding, question: str, texts: list[str]) -> list[Hit]:
    rows = checker._encoder.encode([question, *texts])
    near = np.zeros(len(texts)) if not rows.shape[1] else rows[1:] @ rows[0]
    return [Hit(passage=passage(t), score=1.0, similarity=float(s)) for t, s in zip(texts, near, strict=True)]


@pytest.mark.parametrize("question", ["Who designed the Aster Bridge?", "How long is the Lorne river?"])
def test_a_question_that_the_documents_answer_is_let_through(checker: Grounding, question: str) -> None:
    assert checker.answerable(question, hits(checker, question, [BRIDGE, RIVER])) >= checker.threshold


@pytest.mark.parametrize("question", ["How do I bake sourdough bread?", "What is the capital of Mongolia?"])
def test_a_question_about_something_else_is_refused(checker: Grounding, question: str) -> None:
    assert checker.answerable(question, hits(checker, question, [BRIDGE, RIVER])) < checker.threshold


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("When was the Aster Bridge opened?", "1931"),
        ("Where does the Lorne river rise?", "Hale hills"),
        ("Are cyclists allowed on the bridge?", "not allowed on the bridge in winter"),
    ],
)
def test_the_quote_holds_the_answer(checker: Grounding, question: str, words: str) -> None:
    found = checker.quote(question, hits(checker, question, [BRIDGE, RIVER]))
    text = (BRIDGE, RIVER)[found.passage]
    assert words in text[found.start - 100 : found.end - 100]
    assert found.score >= checker.threshold


def test_without_hits_nothing_is_answerable(checker: Grounding) -> None:
    assert checker.answerable("Who designed the Aster Bridge?", []) == 0.0
    assert checker.quote("Who designed the Aster Bridge?", []).score == 0.0
    assert checker.answerable("?", hits(checker, "?", [""])) == 0.0
    assert 0.0 <= checker.answerable("", hits(checker, "", [BRIDGE])) <= 1.0


def test_questions_in_other_scripts_do_not_crash(checker: Grounding) -> None:
    for question in ("橋はいつ開通しましたか", "Когда открыли мост?", "متى افتتح الجسر؟"):
        assert 0.0 <= checker.answerable(question, hits(checker, question, [BRIDGE])) <= 1.0
