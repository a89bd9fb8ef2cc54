"""One llama.cpp engine answers several callers at once, and none of them notices the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jsonschema
import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model
from gatewheel.models import llamacpp

T = TypeVar("T")
CONTEXT, SLOTS = 256, 4
LONG = "The keeper lights the lamp. " * 32
CITY = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
    },
}


def ask(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def make(parallel: int = SLOTS) -> Model:
    return llamacpp.create(llamacpp.Settings(context_length=CONTEXT, threads=1, parallel=parallel))


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    made = make()
    yield made
    made.close()


def at_once(*calls: Callable[[], T]) -> list[T]:
    together = threading.Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        together.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))


def test_each_slot_has_the_whole_context(model: Model) -> None:
    assert model.parallel == SLOTS
    assert model.context_length == CONTEXT
    answers = at_once(*[lambda: model.chat(ask(LONG + "Go on."), decoding=Decoding(max_tokens=4))] * SLOTS)
    assert all(answer.usage.input_tokens > 0.8 * CONTEXT for answer in answers)
    with pytest.raises(ModelError, match=rf"tokens and the context holds {CONTEXT}"):
        model.chat(ask(LONG * 2), decoding=Decoding(max_tokens=4))


def test_a_cached_prompt_is_read_once_and_counted_whole() -> None:
    model = llamacpp.create(llamacpp.Settings(context_length=CONTEXT, threads=1, prompt_cache=True))
    prompt, batches = ask(LONG + "Go on."), []

    def said(piece: str) -> None:
        batches.append(piece)

    first = model.chat(prompt, decoding=Decoding(max_tokens=1), on_text=said)
    read, batches[:] = len(batches), []
    second = model.chat(prompt, decoding=Decoding(max_tokens=1), on_text=said)
    assert len(batches) < read, "there is a word after each batch of the prompt"
    assert second.usage.input_tokens == first.usage.input_tokens
    model.close()


def test_twice_as_many_callers_as_slots_get_each_their_own_valid_answer(model: Model) -> None:
    def schema_of(n: int) -> dict[str, Any]:
        name = {"const": f"caller {n}"}
        return {"type": "object", "properties": {"name": name, "age": {"type": "integer"}}, "required": ["name", "age"]}

    def asking(n: int) -> Callable[[], Completion]:
        question = ask(f"Caller {n} is {20 + n} years old. Answer in JSON.")
        return lambda: model.chat(question, decoding=Decoding(max_tokens=100, schema=schema_of(n)))

    for n, completion in enumerate(at_once(*[asking(n) for n in range(2 * SLOTS)])):
        jsonschema.validate(json.loads(completion.text), schema_of(n))


def test_tools_stop_strings_and_seeds_hold_beside_each_other(model: Model) -> None:
    def chat(text: str, pieces: list[str], **decoding: Any) -> Callable[[], Completion]:
        return lambda: model.chat(ask(text), decoding=Decoding(**decoding), on_text=pieces.append)

    alone = chat("Invent a name for a ship.", [], max_tokens=16, temperature=1.0, seed=7)
    before, streams = alone().text, [list[str]() for _ in range(8)]
    called, stopped, sampled, counted = (
        chat("What is the weather in Paris?", streams[0], max_tokens=80, tools=(CITY,)),
        chat("Count from one to ten: one, two,", streams[1], max_tokens=60, stop=("three", "e", " ")),
        chat("Invent a name for a ship.", streams[2], max_tokens=16, temperature=1.0, seed=8),
        chat("Tell a long story of the sea.", streams[3], max_tokens=20),
    )
    answers = at_once(called, stopped, sampled, counted, called, stopped, sampled, counted)
    for answer in answers[::4]:
        assert all(json.loads(call.arguments)["city"] in ("Paris", "Rome") for call in answer.tool_calls)
        assert answer.tool_calls or answer.text
    for answer in answers[1::4]:
        assert answer.finish == "stop"
        assert not any(mark in answer.text for mark in ("three", "e", " "))
    assert all(answer.text and answer.finish in ("stop", "length") for answer in answers[2::4])
    assert all(answer.usage.output_tokens == 20 for answer in answers[3::4])
    assert alone().text == before


def test_who_leaves_frees_the_slot_and_leaves_the_others_alone(model: Model) -> None:
    heard: list[str] = []

    def leaves(piece: str) -> bool:
        heard.append(piece)
        return len("".join(heard)) > 8

    story = Decoding(max_tokens=40)
    stays = [lambda: model.chat(ask("Tell a long story of the sea."), decoding=story)] * (SLOTS - 1)
    left, *stayed = at_once(lambda: model.chat(ask("Tell a long story."), decoding=story, on_text=leaves), *stays)
    assert left.finish == "cancelled"
    assert left.text == "".join(heard)
    assert [answer.usage.output_tokens for answer in stayed] == [40] * (SLOTS - 1)
    # every slot is free again: as many long answers as there are slots are under way at the same moment
    under_way = threading.Barrier(SLOTS, timeout=30)
    met = [lambda: model.chat(ask("Say hi"), decoding=story, on_text=lambda _: under_way.wait() >= 0)] * SLOTS
    assert {answer.finish for answer in at_once(*met)} == {"cancelled"}


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(tools=(CITY,))], ids=["text", "tools"])
def test_who_leaves_while_the_prompt_is_read_costs_no_token(model: Model, decoding: Decoding) -> None:
    heard: list[str] = []

    def leaves(piece: str) -> bool:
        heard.append(piece)
        return True

    completion = model.chat(ask(LONG[:400]), decoding=decoding, on_text=leaves)
    assert (completion.finish, completion.text, completion.usage.output_tokens) == ("cancelled", "", 0)
    assert completion.tool_calls == ()
    assert heard == [""]


def test_close_waits_for_the_calls_under_way_and_refuses_those_that_come_later() -> None:
    closing, begun = make(2), threading.Barrier(3)
    answers: list[Completion] = []

    def speak() -> None:
        heard: list[str] = []

        def listen(piece: str) -> None:
            heard.append(piece)
            if len(heard) == 1:
                begun.wait(30)

        answers.append(closing.chat(ask("Tell a long story."), decoding=Decoding(max_tokens=24), on_text=listen))

    speakers = [threading.Thread(target=speak) for _ in range(2)]
    for speaker in speakers:
        speaker.start()
    begun.wait()
    closers = [threading.Thread(target=closing.close) for _ in range(2)]
    for thread in closers:
        thread.start()
    for thread in [*closers, *speakers]:
        thread.join(30)
        assert not thread.is_alive()
    assert [answer.usage.output_tokens for answer in answers] == [24, 24]
    with pytest.raises(ModelError, match="is closed"):
        closing.chat(ask("hi"), decoding=Decoding())


def test_tokens_are_counted_while_every_slot_is_busy(model: Model) -> None:
    counted: list[int] = []

    def count(_: str) -> None:
        counted.append(model.count_tokens("hello world"))

    busy = [lambda: model.chat(ask("Count to five."), decoding=Decoding(max_tokens=6), on_text=count)] * SLOTS
    at_once(*busy)
    assert set(counted) == {2}


@pytest.mark.parametrize("top", [0, 1, 5])
def test_the_log_probabilities_are_those_of_the_tokens_of_the_text(model: Model, top: int) -> None:
    question = ask("What is the capital of France? 東京 🙂")
    completion = model.chat(question, decoding=Decoding(max_tokens=12, logprobs=top))
    entries = completion.logprobs
    assert "".join(entry.token for entry in entries) == completion.text
    assert all(entry.logprob <= 0 and len(entry.top) == top for entry in entries)
    for entry in entries if top else ():
        likelihoods = [logprob for _, logprob in entry.top]
        assert entry.top[0] == (entry.token, entry.logprob)  # greedy: the one written is the likeliest
        assert likelihoods == sorted(likelihoods, reverse=True)
    assert model.chat(question, decoding=Decoding(max_tokens=2)).logprobs == ()


def test_a_stop_string_and_a_tool_cut_the_log_probabilities_with_the_text(model: Model) -> None:
    question = ask("Count: one, two,")
    free = model.chat(question, decoding=Decoding(max_tokens=24)).text
    mark = free[len(free) // 2 : len(free) // 2 + 3]
    completion = model.chat(question, decoding=Decoding(max_tokens=24, stop=(mark,), logprobs=1))
    tokens = [entry.token for entry in completion.logprobs]
    assert "".join(tokens).startswith(completion.text)
    assert len("".join(tokens[:-1])) < len(completion.text)
    assert model.chat(question, decoding=Decoding(max_tokens=99, tools=(CITY,), logprobs=1)).logprobs == ()
