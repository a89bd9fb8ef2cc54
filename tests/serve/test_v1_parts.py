"""Sentences as they are said, responses as they are kept, and bodies that no client of OpenAI sends."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gatewheel.kernel.nouns import Message, Sentence, ToolCall
from gatewheel.rag.output import Checked
from gatewheel.serve.v1 import remembered
from gatewheel.serve.v1.writing import Spoken
from serving import Served

ABSTENTION = "Your documents do not say."


def checked(text: str, supported: bool, shown: bool) -> Checked:
    sentence = Sentence(text=text, supported=supported, support=1.0 if supported else 0.0)
    return Checked(sentence=sentence, shown=text if supported or shown else "")


@given(st.lists(st.builds(checked, st.sampled_from(["One.", "Two.", "Drei."]), st.booleans(), st.booleans())))
def test_what_is_said_adds_up_to_the_answer_and_is_never_taken_back(sentences: list[Checked]) -> None:
    said: list[Any] = []
    spoken = Spoken(0, lambda piece: bool(said.append(piece)))
    for number, one in enumerate(sentences, start=1):
        spoken.hear(one)
        if not any(heard.sentence.supported for heard in sentences[:number]):
            assert not said  # nothing is certain to stay before something is supported
    supported = any(one.sentence.supported for one in sentences)
    answer = " ".join(one.shown for one in sentences if one.shown) if supported else ABSTENTION
    spoken.finish(answer)
    assert "".join(piece.text for piece in said) == answer


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
turns = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=words,
    tool_calls=st.lists(st.builds(ToolCall, id=words, name=words, arguments=words), max_size=2).map(tuple),
    tool_call_id=words,
)


def test_a_response_is_kept_as_it_was_for_its_key_alone(engine: Engine) -> None:
    @given(st.lists(turns, max_size=3), st.dictionaries(words, words, max_size=3))
    def holds(messages: list[Message], body: dict[str, str]) -> None:
        remembered.keep(engine, id="resp_1", key="ada", messages=messages, body=body)
        found = remembered.find(engine, id="resp_1", key="ada")
        assert found is not None
        assert list(found.messages) == messages
        assert found.body == body
        for key in ("", "bob"):
            assert remembered.find(engine, id="resp_1", key=key) is None
            assert not remembered.forget(engine, id="resp_1", key=key)
        assert remembered.forget(engine, id="resp_1", key="ada")
        assert not remembered.forget(engine, id="resp_1", key="ada")

    holds()


@pytest.mark.parametrize("name", ["", "\0", "resp_\ud800", "x" * 100_000, "' or 1=1 --"])
def test_what_is_no_id_finds_nothing(engine: Engine, name: str) -> None:
    assert remembered.find(engine, id=name, key="") is None


def _nested(depth: int) -> Any:
    return {"type": "object", "properties": {"a": _nested(depth - 1)}} if depth else {"type": "object"}


def _schema(schema: Any) -> bytes:
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    return json.dumps(
        {"model": "chat", "messages": [{"role": "user", "content": "x"}], "response_format": wanted}
    ).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"model":"chat","messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model":"\\ud800","messages":[{"role":"user","content":"x"}]}',
        b'{"model":"chat","messages":[{"role":"user","content":"\\udc00"}]}',
        b'{"model":"chat","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b'{"model":"chat","messages":[{"role":"user","content":"x"}],"temperature":NaN}',
        _schema({"$ref": "http://elsewhere/schema"}),
        _schema({"$ref": "#/$defs/none"}),
        _schema(_nested(400)),
    ],
    ids=range(12),
)
def test_a_body_that_is_none_is_the_clients_fault(served: Served, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx2.post(f"{served.base_url}/v1/chat/completions", content=body, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_whole_surrogate_pair_is_a_character(served: Served) -> None:
    body = b'{"model":"encoder","input":"\\ud83d\\ude00"}'
    headers = {"content-type": "application/json"}
    assert httpx2.post(f"{served.base_url}/v1/embeddings", content=body, headers=headers).status_code == 200
