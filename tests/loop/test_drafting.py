"""Drafted cases: what they say stands in the documents, and nothing of them is lost or made twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatewheel as gw
from gatewheel.data import drafts
from gatewheel.kernel.errors import Cancelled, ProjectError
from gatewheel.loop import drafting
from gatewheel.loop.drafting import Wanted

PAGES = {
    "museum.md": "# Museum\n\nThe Harbour Museum opened in 1962 in the old customs house of Rotterdam.\n\n"
    "Tickets for the Harbour Museum cost twelve euros and are sold at the entrance.\n",
    "ferry.md": "# Ferry\n\nThe ferry to Texel leaves Den Helder every thirty minutes until half past nine.\n\n"
    "Captain Anna Visser has commanded the ferry Marsdiep since the spring of 2014.\n",
    "bakery.md": "# Bakery\n\nThe bakery in Leiden uses sourdough that Pieter Bakker began in 1978.\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[gw.Project]:
    made = gw.init(tmp_path / "home")
    for name, text in PAGES.items():
        (made.config.root / name).write_text(text, encoding="utf-8")
    made.ingest([])
    yield made
    made.close()


def test_a_draft_quotes_its_document_and_is_on_disk_when_it_is_made(project: gw.Project) -> None:
    root, on_disk = project.config.root, list[int]()
    made = drafting.draft(
        project.parts,
        Wanted(suite="town", count=2),
        on_progress=lambda _: on_disk.append(len(drafts.read(root, "town"))),
    )
    assert len(made) == 2
    assert on_disk[-1] == 2
    for case in made:
        start, end = case.meta["span"]
        assert (root / case.sources[0]).read_text(encoding="utf-8")[start:end] == case.evidence[0]
        assert case.question.endswith("?")
        assert " ".join(case.evidence[0].split()) == case.references[0]
    assert len({case.sources[0] for case in made}) == 2  # spread over documents
    assert drafts.waiting(root, "town") == made


def test_what_is_stopped_goes_on_with_other_passages(project: gw.Project) -> None:
    stopping = iter([False] * 8 + [True] * 99)
    with pytest.raises((Cancelled, ProjectError)):
        drafting.draft(project.parts, Wanted(suite="town", count=50), cancelled=lambda: next(stopping))
        drafting.draft(project.parts, Wanted(suite="town", count=50), cancelled=lambda: True)
    before = drafts.read(project.config.root, "town")
    assert before
    with pytest.raises((Cancelled, ProjectError)):
        drafting.draft(project.parts, Wanted(suite="town", count=50))
        drafting.draft(project.parts, Wanted(suite="town", count=50))
    passages = [case.meta["passage"] for case in drafts.read(project.config.root, "town")]
    assert passages[: len(before)] == [case.meta["passage"] for case in before]
    assert len(passages) == len(set(passages))


def test_without_documents_the_cure_is_told(tmp_path: Path) -> None:
    with gw.init(tmp_path / "empty") as empty, pytest.raises(ProjectError, match="gatewheel ingest"):
        drafting.draft(empty.parts, Wanted(suite="town"))


@pytest.mark.parametrize(
    "question",
    [
        "When did the museum open?",
        "Where did the Harbour Museum open in 1962?",
    ],
)
def test_a_question_in_the_words_of_the_sentence_passes(question: str) -> None:
    assert drafting.asks(question, "The Harbour Museum opened in 1962 in the old customs house of Rotterdam.")


@pytest.mark.parametrize(
    "text",
    [
        "The Harbour Museum opened in 1962 in the old customs house of Rotterdam.",
        "What does the sentence about the museum say?",
        "Why?",
        "Who won the football match in Paris last night?",
        "When did the museum open? Where did the museum open?",
        "Museum opened in 1962?",
    ],
)
def test_what_is_no_question_about_the_sentence_does_not(text: str) -> None:
    assert not drafting.asks(text, "The Harbour Museum opened in 1962 in the old customs house of Rotterdam.")


@given(st.text(max_size=400))
def test_candidates_are_sentences_of_the_text(text: str) -> None:
    for start, end in drafting.candidates(text):
        assert 0 <= start < end <= len(text)
        assert drafting.SHORTEST <= len(text[start:end].split()) <= drafting.LONGEST
