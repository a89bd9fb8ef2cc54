"""The application without documents: asked, traced, evaluated, gated and released like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewheel as gw
from examinee import Examinee, examinee
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Message
from gatewheel.loop.evaluate import Wanted, evaluate
from gatewheel.loop.releasing import as_variant
from gatewheel.loop.starting import init
from gatewheel.rag.question import Question

TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "openai"
model = "m"
base_url = "{url}"
[app.main]
use = "direct"
prompt = "sort"
max_tokens = 20
"""
PROMPT = "---\nsystem: You sort letters.\n---\nSort: {{ question }}"
CASES = """
{"question": "Where is my parcel?", "references": ["delivery"]}
{"question": "Pay me back", "references": ["refund"]}
"""


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee() as one:
        yield one


@pytest.fixture
def home(tmp_path: Path, endpoint: Examinee) -> Path:
    init(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(TOML.format(url=endpoint.url))
    (tmp_path / "prompts" / "sort.md").write_text(PROMPT)
    (tmp_path / "suites" / "letters.jsonl").write_text(CASES)
    (tmp_path / "suites" / "letters.toml").write_text('metrics = ["exact-match"]\n')
    return tmp_path


def test_it_answers_without_any_document_and_leaves_a_trace(home: Path, endpoint: Examinee) -> None:
    endpoint.rule = lambda _: "delivery"
    project = gw.open(home)
    answer = project.ask("Where is my parcel?")
    assert (answer.answer, answer.abstained, answer.citations) == ("delivery", False, ())
    assert answer.trace
    sent = endpoint.requests[-1]["messages"]
    assert [(one["role"], one["content"]) for one in sent] == [
        ("system", "You sort letters."),
        ("user", "Sort: Where is my parcel?"),
    ]
    project.close()


def test_the_turns_before_stand_between_the_system_text_and_the_question(home: Path) -> None:
    project = gw.open(home)
    turns = (Message(role="user", content="Hello"), Message(role="assistant", content="Good day"))
    said = project.parts.app("main").messages(Question(text="Pay", history=turns))
    assert [one.content for one in said] == ["You sort letters.", "Hello", "Good day", "Sort: Pay"]
    project.close()


def test_an_empty_question_is_refused_with_the_cure(home: Path) -> None:
    project = gw.open(home)
    with pytest.raises(UserError, match="empty"):
        project.ask(" \x07 ")
    project.close()


def test_its_recipe_names_neither_retriever_nor_documents_and_is_made_again(home: Path, endpoint: Examinee) -> None:
    endpoint.rule = lambda _: "refund"
    project = gw.open(home)
    variant = project.parts.keep_variant()
    assert sorted(variant.recipe) == ["app", "model", "prompt"]
    again = as_variant(project.parts, "main", variant)
    assert again.variant("main").id == variant.id
    report = evaluate(project.parts, Wanted(suite="letters", variant=variant.id[:10]))
    assert report.variant == variant.id
    assert report.corpus == ""
    assert [row.values["exact-match"] for row in report.rows] == [(0.0,), (1.0,)]
    project.close()
