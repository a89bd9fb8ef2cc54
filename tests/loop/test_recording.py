"""Whatever becomes of a question, its trace says so: model, price, error, and no more than the settings allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Endpoint, Reply, refusal, serve, text

import gatewheel as gw
from gatewheel.kernel import trace as names
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ConfigError, ModelError, UserError
from gatewheel.kernel.nouns import Message, SpanRecord, Trace
from gatewheel.loop.project import Project
from gatewheel.loop.starting import init
from gatewheel.rag.answer import Listener
from receiving import plain, receiver

QUESTION = "What is the code of the door? I am ada@example.com, call +49 170 1234567."
TOML = """
[project]
name = "house"
[sources]
paths = ["*.md"]
[encoder.main]
use = "none"
[app.main]
mode = "draft"
[model.chat]
use = "openai"
model = "m"
base_url = "{url}"
input_price = 1000.0
output_price = 1000.0
max_retries = 0
{more}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path)
    (tmp_path / "a.md").write_text("# Door\n\nThe code of the door is 4711, says Bob, bob@example.com.\n")
    return tmp_path


@pytest.fixture
def replies() -> list[Reply]:
    return [text("The code of the door is 4711, says Bob, bob@example.com.")]


@pytest.fixture
def there(replies: list[Reply]) -> Iterator[Endpoint]:
    with serve(replies) as endpoint:
        yield endpoint


def opened(home: Path, there: Endpoint, more: str = "") -> Project:
    (home / CONFIG_FILE).write_text(TOML.format(url=there.url, more=more))
    project = gw.open(home)
    project.ingest()
    return project


def span(trace: Trace, operation: str) -> SpanRecord:
    (found,) = [one for one in trace.spans if one.attributes.get(names.OPERATION) == operation]
    return found


def test_a_trace_has_model_price_prompt_and_draft(home: Path, there: Endpoint) -> None:
    with opened(home, there) as project:
        answer = project.ask(QUESTION)
        (kept,) = project.traces()
    assert "4711" in answer.answer
    assert (kept.id, kept.model, kept.cost, kept.error) == (answer.trace, "served-model", 0.014, "")
    chat = span(kept, "chat").attributes
    assert (chat[names.PROVIDER], chat[names.RESPONSE_ID]) == ("openai", "c")
    assert (chat[names.MODEL], chat[names.RESPONSE_MODEL], chat[names.FINISH]) == ("m", "served-model", ["stop"])
    sent = there.requests[0]["messages"]
    assert [part["parts"][0]["content"] for part in chat[names.INPUT_MESSAGES]] == [one["content"] for one in sent]
    assert "4711" in chat[names.OUTPUT_MESSAGES][0]["parts"][0]["content"]
    first, passage = span(kept, "retrieval").attributes[names.DOCUMENTS][0], answer.passages[0].passage
    assert (first["id"], first["source"]) == (passage.id, passage.source)


@pytest.mark.parametrize("replies", [[refusal(400, "no such thing for ada@example.com")]])
def test_a_question_that_fails_leaves_a_trace_with_its_error(home: Path, there: Endpoint) -> None:
    with opened(home, there, '[trace]\nredact = ["email"]') as project:
        with pytest.raises(ModelError):
            project.ask(QUESTION)
        (kept,) = project.traces()
        assert kept.variant == project.variant().id
    assert "no such thing for [email]" in kept.error
    assert (kept.answer, kept.model, kept.abstained) == ("", "m", False)
    assert span(kept, "chat").attributes[names.ERROR_TYPE] == "ModelError"


def test_a_completion_that_fails_or_ends_is_recorded_alike(home: Path, there: Endpoint) -> None:
    with opened(home, there) as project:
        project.complete([Message(role="user", content="hello")])
        (kept,) = project.traces()
    assert (kept.kind, kept.model, kept.cost) == ("completion", "served-model", 0.014)
    assert span(kept, "chat").attributes[names.PROVIDER] == "openai"


def test_a_question_that_is_refused_or_has_no_application_is_recorded_too(home: Path, there: Endpoint) -> None:
    with opened(home, there) as project:
        with pytest.raises(UserError):
            project.ask("  ")
        with pytest.raises(ConfigError):
            project.ask(QUESTION, app="mian")
        mian, empty = project.traces()
    assert "mian" in mian.error
    assert (mian.variant, mian.model, mian.spans) == ("", "", ())
    assert "empty" in empty.error


def test_a_question_that_was_left_says_so(home: Path, there: Endpoint) -> None:
    with opened(home, there) as project:
        project.ask(QUESTION, listener=Listener(on_text=lambda _: True))
        (kept,) = project.traces()
        assert "cancelled" in kept.error

        def stop(_: Any) -> bool:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            project.ask(QUESTION, listener=Listener(on_text=stop))
        assert "KeyboardInterrupt" in project.traces()[0].error


def test_what_is_redacted_is_written_nowhere(home: Path, there: Endpoint) -> None:
    (home / "a.md").rename(home / "bob@example.com.md")
    with receiver() as heard:
        with opened(home, there, f'[trace]\nredact = ["email", "phone"]\notlp = "{heard.url}"') as project:
            answer = project.ask(QUESTION)
            assert "bob@example.com" in answer.answer  # who asks gets the answer whole
            (kept,) = project.traces()
            assert answer.trace
            said = project.give_feedback(answer.trace, comment="ask eve@example.com")
            assert said.comment == "ask [email]"
        assert kept.question == "What is the code of the door? I am [email], call [phone]."
        assert "Bob, [email]" in kept.answer
        exported = b"".join(one.SerializeToString() for one in heard.spans)
    documents = span(kept, "retrieval").attributes[names.DOCUMENTS]
    assert documents[0] == {
        "id": answer.passages[0].passage.id,
        "source": "bob@example.com.md",
        "score": documents[0]["score"],
    }, "by its name it is found when it is forgotten"
    assert documents[0]["id"].encode() in exported
    for trace in (repr(kept).replace("bob@example.com.md", "").encode(), exported):
        assert b"[email]" in trace
        assert b"ada@" not in trace
        assert b"bob@" not in trace
        assert b"1234567" not in trace


def test_without_the_store_only_figures_are_exported(home: Path, there: Endpoint) -> None:
    with receiver() as heard:
        with opened(home, there, f'[trace]\nstore = false\notlp = "{heard.url}"') as project:
            assert project.ask(QUESTION).trace is None
            assert project.traces() == []
        exported = b"".join(one.SerializeToString() for one in heard.spans)
        root = plain(heard.named("invoke_agent house").attributes)
        assert plain(heard.named("chat m").attributes)[names.INPUT_TOKENS] == 10
    assert root[names.OUTPUT_TOKENS] == 4
    for word in (b"door", b"4711", b"Bob", b"ada"):
        assert word not in exported


def test_what_is_not_in_the_sample_leaves_nothing(home: Path, there: Endpoint) -> None:
    with receiver() as heard, opened(home, there, f'[trace]\nsample = 0.0\notlp = "{heard.url}"') as project:
        assert project.ask(QUESTION).trace is None
        assert project.traces() == []
    assert heard.spans == []


def test_a_receiver_that_is_gone_costs_one_note(home: Path, there: Endpoint) -> None:
    told: list[str] = []
    with opened(home, there, '[trace]\notlp = "http://127.0.0.1:9"') as project:
        project.parts.exporter._say = told.append
        assert project.ask(QUESTION).trace
        assert project.ask(QUESTION).trace
    assert len(told) == 1
    assert "127.0.0.1:9" in told[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('redact = ["emial"]', "did you mean 'email'?"),
        ('otlp = "localhost:4318"', "http://host:4318"),
        ('otlp = "http://me:pw@host:4318"', "OTEL_EXPORTER_OTLP_HEADERS"),
        ("sample = 1.5", "at most 1"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_cure(home: Path, line: str, says: str) -> None:
    (home / CONFIG_FILE).write_text(f"[trace]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        gw.open(home)
    assert says in str(caught.value)
    assert "me:pw" not in str(caught.value)
