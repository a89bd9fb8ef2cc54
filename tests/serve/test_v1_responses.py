"""The responses endpoint through the official client: items, events in their order, and what is remembered."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from serving import Served

QUESTION = "What is the capital of France?"
KETTLE = "How much does the kettle hold?"
NOWHERE = "Who is the king of Norway?"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


class City(BaseModel):
    """What the model is to fill in."""

    population: int


def test_a_response_answers_with_usage_and_says_when_it_was_cut(client: openai.OpenAI) -> None:
    said = client.responses.create(model="chat", input=QUESTION, max_output_tokens=5, temperature=0, store=False)
    assert said.output_text
    assert said.status == "incomplete"
    assert said.incomplete_details is not None
    assert said.incomplete_details.reason == "max_output_tokens"
    assert said.usage is not None
    assert said.usage.output_tokens == 5


def test_the_events_come_in_order_and_add_up(client: openai.OpenAI) -> None:
    events: Any = list(client.responses.create(model="app", input=KETTLE, stream=True))
    kinds = [event.type for event in events]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta", "response.output_text.annotation.added"}
    whole = events[-1].response
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-4].text == whole.output_text
    assert {event.item_id for event in events if hasattr(event, "item_id")} == {whole.output[0].id}
    annotations = [event.annotation for event in events if event.type == "response.output_text.annotation.added"]
    assert [one.to_dict() for one in annotations] == [one.to_dict() for one in whole.output[0].content[0].annotations]
    assert client.responses.retrieve(whole.id).output_text == text


def test_a_citation_is_an_annotation_at_its_marker(client: openai.OpenAI) -> None:
    said: Any = client.responses.create(model="app", input=KETTLE)
    first = said.output[0].content[0].annotations[0]
    assert first.filename == "kettle.md"
    assert said.output_text[first.index :].startswith("[1]")
    assert said.gatewheel["citations"][0]["quote"]


def test_the_client_follows_a_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="chat", input=QUESTION, text_format=City, temperature=0) as stream:
        for _ in stream:
            pass
        said = stream.get_final_response()
    assert isinstance(said.output_parsed, City)


def test_a_response_is_continued_by_its_id(client: openai.OpenAI) -> None:
    first = client.responses.create(model="app/quoting", input=KETTLE)
    then: Any = client.responses.create(model="app/quoting", input="Where is it?", previous_response_id=first.id)
    assert then.gatewheel["citations"][0]["source"] == "kettle.md"
    assert then.previous_response_id == first.id


def test_instructions_hold_for_one_response_only(client: openai.OpenAI, served: Served) -> None:
    first = client.responses.create(model="chat", input="Hi.", instructions="Speak Latin.", max_output_tokens=4)
    client.responses.create(model="chat", input="And now?", previous_response_id=first.id, max_output_tokens=4)
    trace = next(trace for trace in served.project.traces(limit=20) if trace.question == "And now?")
    messages = trace.spans[-1].attributes["gen_ai.input.messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


def test_what_is_not_stored_is_not_there(client: openai.OpenAI) -> None:
    said = client.responses.create(model="app/quoting", input=KETTLE, store=False)
    assert said.model_extra is not None
    for read in (
        lambda: client.responses.retrieve(said.id),
        lambda: client.responses.delete(said.id),
        lambda: client.responses.create(model="chat", input="x", previous_response_id=said.id),
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            read()
        assert refused.value.code == "response_not_found"


def test_a_response_that_is_deleted_is_gone(client: openai.OpenAI) -> None:
    said = client.responses.create(model="app/quoting", input=KETTLE)
    client.responses.delete(said.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(said.id)


def test_a_function_is_called_and_its_result_goes_back(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "input": QUESTION, "tools": [WEATHER], "tool_choice": "required", "temperature": 0}
    events: Any = list(client.responses.create(**asked, stream=True))
    assert [event.type for event in events][2:] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    whole = events[-1].response
    call = whole.output[0]
    assert (call.type, call.name) == ("function_call", "weather")
    assert set(json.loads(call.arguments)) == {"city"}
    result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}]
    then = client.responses.create(
        model="chat", previous_response_id=whole.id, input=result, max_output_tokens=8, store=False
    )
    assert then.output_text


def test_an_application_that_owes_json_refuses(client: openai.OpenAI) -> None:
    kinds = []
    with client.responses.stream(model="app", input=NOWHERE, text_format=City) as stream:
        kinds = [event.type for event in stream]
        said: Any = stream.get_final_response()
    assert said.output[0].content[0].refusal == "Your documents do not say."
    assert "response.refusal.done" in kinds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("background", True),
        ("conversation", "c1"),
        ("truncation", "auto"),
        ("reasoning", {"effort": "high"}),
        ("tools", [{"type": "web_search"}]),
        ("input", [{"type": "item_reference", "id": "x"}]),
        ("input", [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]),
        ("input", ""),
        ("temperature", 5),
        ("text", {"format": {"type": "json_schema", "name": "a"}}),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: openai.OpenAI, field: str, value: Any) -> None:
    body: Any = {"model": "chat", "input": QUESTION, "max_output_tokens": 1, field: value}
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/responses", body=body, cast_to=object)
    error: Any = refused.value.body
    assert str(error["param"]).startswith((field, "content"))


def test_an_application_leaves_instructions_aside_and_says_so(client: openai.OpenAI) -> None:
    said: Any = client.responses.create(model="app/quoting", input=KETTLE, instructions="Be rude.")
    assert said.gatewheel["ignored"] == ["instructions"]
    assert "1.7" in said.output_text
