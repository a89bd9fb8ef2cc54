"""Chat completions through the official client, against a real service with the embedded model."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from serving import Served

ASK: Any = [{"role": "user", "content": "What is the capital of France?"}]
KETTLE: Any = [{"role": "user", "content": "How much does the kettle hold?"}]
NOWHERE: Any = [{"role": "user", "content": "Who is the king of Norway?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class City(BaseModel):
    """What the model is to fill in."""

    population: int
    coastal: bool


# --- a plain model


def test_a_model_answers_with_usage_and_an_id(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(model="chat", messages=ASK, max_tokens=8, temperature=0)
    assert said.choices[0].message.content
    assert said.choices[0].finish_reason == "length"
    assert said.usage is not None
    assert said.usage.completion_tokens == 8
    assert said.usage.total_tokens == said.usage.prompt_tokens + 8
    assert said._request_id


def test_a_stream_adds_up_to_the_whole_and_ends_with_usage(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "messages": ASK, "max_tokens": 12, "temperature": 0, "seed": 1}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert len({chunk.id for chunk in chunks}) == 1


def test_choices_differ_by_seed_and_come_again_with_it(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "messages": ASK, "max_tokens": 12, "temperature": 1.5, "seed": 7, "n": 3}
    first, again = (client.chat.completions.create(**asked) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert len(set(texts)) > 1
    assert texts == [choice.message.content for choice in again.choices]
    assert first.usage is not None
    assert first.usage.completion_tokens <= 36
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_a_stop_string_ends_the_text_before_it(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "messages": ASK, "max_tokens": 30, "temperature": 0}
    text = client.chat.completions.create(**asked).choices[0].message.content or ""
    word = text.split()[2]
    for stop in (word, [word, "zzz"]):
        choice = client.chat.completions.create(**asked, stop=stop).choices[0]
        assert choice.message.content == text[: text.index(word)]
        assert choice.finish_reason == "stop"


def test_json_validates_against_a_schema(client: openai.OpenAI) -> None:
    said = client.chat.completions.parse(
        model="chat", messages=ASK, response_format=City, max_tokens=60, temperature=0, seed=3
    )
    assert isinstance(said.choices[0].message.parsed, City)


def test_any_json_object(client: openai.OpenAI) -> None:
    schema: Any = {"type": "json_object"}
    asked: Any = [{"role": "user", "content": 'Write the JSON object {"a": 1} and nothing else.'}]
    said = client.chat.completions.create(
        model="chat", messages=asked, response_format=schema, max_tokens=200, temperature=0
    )
    assert isinstance(json.loads(said.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_that_must_be_called_is_called(client: openai.OpenAI, choice: Any) -> None:
    asked: Any = {"model": "chat", "messages": ASK, "tools": [WEATHER], "tool_choice": choice, "temperature": 0}
    if choice == "required":
        said: Any = client.chat.completions.create(**asked)
    else:
        with client.chat.completions.stream(**asked) as stream:
            said = stream.get_final_completion()
    assert said.choices[0].finish_reason == "tool_calls"
    call = said.choices[0].message.tool_calls[0]
    assert call.id
    assert call.function.name == "weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_the_result_of_a_tool_goes_back(client: openai.OpenAI) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    turns: Any = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "21 degrees"},
    ]
    said = client.chat.completions.create(
        model="chat", messages=turns, tools=[WEATHER], tool_choice="none", max_tokens=12
    )
    assert said.choices[0].message.content
    assert not said.choices[0].message.tool_calls


def test_logprobs_stand_beside_their_tokens(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "messages": ASK, "max_tokens": 6, "temperature": 0}
    choice = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2).choices[0]
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert "".join(token.token for token in tokens) == choice.message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in tokens)
    assert all(bytes(token.bytes or b"").decode() == token.token for token in tokens)
    streamed: Any = list(client.chat.completions.create(**asked, logprobs=True, stream=True))[-1].choices[0]
    assert [one.token for one in streamed.logprobs.content] == [one.token for one in tokens]


def test_content_may_come_in_parts(client: openai.OpenAI) -> None:
    parts: Any = [{"type": "text", "text": "What is the capital "}, {"type": "text", "text": "of France?"}]
    asked: Any = {"model": "chat", "max_tokens": 8, "temperature": 0}
    in_parts = client.chat.completions.create(**asked, messages=[{"role": "user", "content": parts}])
    assert in_parts.choices[0].message.content == _text(client.chat.completions.create(**asked, messages=ASK))


# --- an application


def test_an_application_cites_its_documents(client: openai.OpenAI, served: Served) -> None:
    raw = client.chat.completions.with_raw_response.create(model="app", messages=KETTLE)
    message: Any = raw.parse().choices[0].message
    grounding = message.gatewheel
    assert "[1]" in message.content
    assert not grounding["abstained"]
    first = grounding["citations"][0]
    document = served.project.document(first["source"])
    assert document is not None
    assert document.text[slice(*first["span"])] == first["quote"]
    assert grounding["variant"] == served.project.variant().id
    assert (raw.parse().system_fingerprint or "").removeprefix("gw_") == grounding["variant"][:16]
    assert raw.headers["x-gatewheel-trace"] == grounding["trace"]
    assert served.project.traces(limit=50)


def test_an_application_streams_what_was_checked_and_nothing_else(client: openai.OpenAI) -> None:
    for name, messages in (("app", KETTLE), ("app/quoting", KETTLE), ("app", NOWHERE)):
        whole: Any = client.chat.completions.create(model=name, messages=messages)
        chunks: Any = list(client.chat.completions.create(model=name, messages=messages, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == _text(whole)
        last = chunks[-1].choices[0]
        assert last.finish_reason == "stop"
        assert last.delta.gatewheel["citations"] == whole.choices[0].message.gatewheel["citations"]
        assert chunks[-1].system_fingerprint == whole.system_fingerprint


def test_an_application_that_finds_nothing_abstains(client: openai.OpenAI) -> None:
    message: Any = client.chat.completions.create(model="app", messages=NOWHERE).choices[0].message
    assert message.content == "Your documents do not say."
    assert message.gatewheel["abstained"]
    assert message.gatewheel["citations"] == []


def test_an_application_that_owes_json_refuses_in_the_field_for_it(client: openai.OpenAI) -> None:
    said = client.chat.completions.parse(model="app", messages=NOWHERE, response_format=City)
    assert said.choices[0].message.parsed is None
    assert said.choices[0].message.refusal == "Your documents do not say."


def test_an_application_understands_a_question_by_the_turns_before(client: openai.OpenAI) -> None:
    turns: Any = [
        *KETTLE,
        {"role": "assistant", "content": "1.7 litres [1]."},
        {"role": "user", "content": "Where is it?"},
    ]
    message: Any = client.chat.completions.create(model="app/quoting", messages=turns).choices[0].message
    assert message.gatewheel["citations"][0]["source"] == "kettle.md"


# --- refusals


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("logit_bias", {"1": 5}),
        ("n", 9),
        ("n", 0),
        ("temperature", 3),
        ("max_tokens", 0),
        ("top_logprobs", 3),
        ("tool_choice", "required"),
        ("reasoning_effort", "high"),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}),
        ("response_format", {"type": "yaml"}),
        ("messages", []),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
        ("messages", [{"role": "user", "content": None}]),
        ("messages", [{"role": "nobody", "content": "x"}]),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: openai.OpenAI, field: str, value: Any) -> None:
    body: Any = {"model": "chat", "messages": ASK, "max_tokens": 1, field: value}
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            client.post("/chat/completions", body=body | {"stream": stream}, cast_to=object)
        error: Any = refused.value.body
        assert refused.value.type == "invalid_request_error"
        assert field in f"{error['param']}" or error["param"] == "content"
        assert error["message"]


@pytest.mark.parametrize(("field", "value"), [("stop", "x"), ("n", 2), ("logprobs", True), ("tools", [WEATHER])])
def test_an_application_refuses_what_would_change_its_shape(client: openai.OpenAI, field: str, value: Any) -> None:
    body: Any = {"model": "app", "messages": KETTLE, field: value}
    with pytest.raises(openai.BadRequestError, match=field):
        client.chat.completions.create(**body)


def test_an_application_says_what_it_left_aside(client: openai.OpenAI) -> None:
    rude: Any = [{"role": "system", "content": "Be rude."}, *KETTLE]
    said: Any = client.chat.completions.create(model="app/quoting", messages=rude, temperature=0.7, max_tokens=5)
    plain: Any = client.chat.completions.create(model="app/quoting", messages=KETTLE)
    assert said.choices[0].message.content == plain.choices[0].message.content
    grounding = said.choices[0].message.gatewheel
    assert set(grounding["ignored"]) == {"temperature", "max_tokens", "system"}


def test_a_prompt_beyond_the_context_is_refused_before_the_stream_starts(client: openai.OpenAI) -> None:
    long: Any = [{"role": "user", "content": "word " * 9000}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="chat", messages=long, stream=stream)
        assert refused.value.code == "context_length_exceeded"


def test_an_unknown_model_is_not_found_and_the_nearest_is_named(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean 'chat'") as refused:
        client.chat.completions.create(model="chatt", messages=ASK)
    assert refused.value.code == "model_not_found"


def test_fields_that_are_newer_than_this_service_are_tolerated(client: openai.OpenAI) -> None:
    extra = {"brand_new": {"a": [1]}, "store": True, "user": "u", "metadata": {"a": "b"}, "service_tier": "auto"}
    said = client.chat.completions.create(model="chat", messages=ASK, max_tokens=1, extra_body=extra)
    assert said.choices


# --- models and traces


def test_the_models_are_the_variants_the_models_and_the_encoder(client: openai.OpenAI) -> None:
    kinds = {model.id: model.model_extra and model.model_extra["type"] for model in client.models.list()}
    assert kinds == {"app": "app", "app/quoting": "app", "chat": "model", "encoder": "encoder"}
    assert client.models.retrieve("app/quoting").id == "app/quoting"
    with pytest.raises(openai.NotFoundError, match="did you mean 'app/quoting'"):
        client.models.retrieve("app/quotin")


def test_a_plain_call_leaves_a_trace_even_when_it_fails(client: openai.OpenAI, served: Served) -> None:
    client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "Trace me."}], max_tokens=3)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "word " * 9000}])
    good = next(trace for trace in served.project.traces(limit=50) if trace.question == "Trace me.")
    assert (good.kind, good.output_tokens, good.error) == ("completion", 3, "")
    assert good.spans[-1].attributes["gen_ai.operation.name"] == "chat"
    assert any("context" in trace.error for trace in served.project.traces(limit=50))


def _text(said: Any) -> str:
    return str(said.choices[0].message.content)
