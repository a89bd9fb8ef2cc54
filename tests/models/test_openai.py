"""The endpoint model against a real server (llama.cpp's own HTTP) and against one that misbehaves on purpose."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest
import xllamacpp
from faulty_server import Reply, chunk, refusal, serve, stream, text, usage
from pydantic import ValidationError

from gatewheel.kernel.errors import MissingPart, ModelError, PromptTooLong
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding, Model
from gatewheel.models import openai
from gatewheel.models.turn import hush
from gatewheel.models.weights import DEFAULT, find
from silent_server import silent

ASK = [Message(role="user", content="What is the capital of France?")]
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
ODD_LOGPROBS = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [{"token": "a"}]}}
KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def real_url() -> Iterator[str]:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(find(DEFAULT))
    parameters.n_ctx, parameters.n_parallel, parameters.verbosity, parameters.warmup = 512, 1, -1, False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


def make(url: str, **more: Any) -> Model:
    settings = {"model": "m", "base_url": url, "timeout": 20.0, "max_retries": 0} | more
    return openai.create(openai.Settings(**settings))


# --- a real server


def test_a_real_server_answers_streams_and_is_priced(real_url: str) -> None:
    model = make(real_url, input_price=2.0, output_price=10.0)
    pieces: list[str] = []
    completion = model.chat(ASK, decoding=Decoding(max_tokens=12), on_text=pieces.append)
    assert completion.text
    assert "".join(pieces) == completion.text
    assert completion.usage.input_tokens > 20
    spent = completion.usage.input_tokens * 2.0 + completion.usage.output_tokens * 10.0
    assert completion.usage.cost == pytest.approx(spent / 1_000_000)
    model.close()
    model.close()


def test_a_real_server_follows_a_schema(real_url: str) -> None:
    completion = make(real_url).chat(ASK, decoding=Decoding(max_tokens=64, schema=AGE))
    jsonschema.validate(json.loads(completion.text), AGE)


def test_a_real_server_keeps_stop_seed_and_length(real_url: str) -> None:
    model = make(real_url)
    decoding = Decoding(max_tokens=10, temperature=0.9, seed=4)
    first = model.chat(ASK, decoding=decoding)
    assert model.chat(ASK, decoding=decoding).text == first.text
    assert model.chat(ASK, decoding=Decoding(max_tokens=3)).finish == "length"
    stopped = model.chat(ASK, decoding=Decoding(max_tokens=10, temperature=0.9, seed=4, stop=(first.text[5:8],)))
    assert stopped.text == first.text[: first.text.index(first.text[5:8])]


def test_a_real_server_gives_log_probabilities(real_url: str) -> None:
    completion = make(real_url).chat(ASK, decoding=Decoding(max_tokens=8, logprobs=3))
    assert "".join(entry.token for entry in completion.logprobs) == completion.text
    assert all(entry.top[0] == (entry.token, entry.logprob) and len(entry.top) == 3 for entry in completion.logprobs)
    assert make(real_url).chat(ASK, decoding=Decoding(max_tokens=2)).logprobs == ()


def test_a_prompt_that_is_too_long_for_a_real_server_is_a_clear_error(real_url: str) -> None:
    with pytest.raises(PromptTooLong, match="exceeds the available context size"):
        make(real_url).chat([Message(role="user", content="hello " * 900)], decoding=Decoding())


def test_stopping_early_leaves_the_real_server_usable(real_url: str) -> None:
    model = make(real_url)
    assert model.chat(ASK, decoding=Decoding(max_tokens=200), on_text=lambda _: True).finish == "cancelled"
    assert model.chat(ASK, decoding=Decoding(max_tokens=4)).text


# --- faults


def test_a_server_that_is_too_busy_is_asked_again_as_it_wishes() -> None:
    with serve([refusal(429, "slow down", **{"Retry-After": "0.05"}), text("Paris")]) as endpoint:
        completion = make(endpoint.url, max_retries=2).chat(ASK, decoding=Decoding())
    assert completion.text == "Paris"
    assert completion.model == "served-model"
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (refusal(429, "no quota"), "429 .no quota.; wait, raise max_retries"),
        (refusal(401, "bad key"), "refused the key .401.; check MY_KEY"),
        (refusal(404, "no such model"), "knows no model 'm' .no such model.; check model"),
        (refusal(500, "broken"), "answered 500 .broken."),
        (stream(chunk(content="Par"), done=False), "broke off before the answer was complete"),
        (Reply(headers={"Content-Type": "text/event-stream"}, body=b"data: {not json\n\n"), "no chat completion"),
        (stream({"hello": "world"}), "is no chunk"),
        (stream(chunk() | {"choices": ["Paris"]}), "is no chunk"),
        (stream(chunk() | {"choices": [{"delta": {"content": 7}}]}), "is no chunk"),
        (stream(chunk(content="a") | {"choices": [ODD_LOGPROBS]}), "log-probabilities in another shape"),
        (stream({"error": {"message": "out of memory", "code": 500}}), "out of memory"),
    ],
    ids=[
        "429",
        "401",
        "404",
        "500",
        "truncated",
        "not-json",
        "no-chunk",
        "odd-choice",
        "odd-delta",
        "odd-logprobs",
        "error-in-stream",
    ],
)
def test_a_fault_of_the_endpoint_is_one_clear_line(reply: Reply, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serve([reply]) as endpoint, pytest.raises(ModelError, match=said):
        make(endpoint.url, api_key_env="MY_KEY").chat(ASK, decoding=Decoding())


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    with serve([Reply(hang=True)]) as endpoint, pytest.raises(ModelError, match=r"sent nothing for 0.3 s; raise"):
        make(endpoint.url, timeout=0.3).chat(ASK, decoding=Decoding())


def test_a_refused_connection_names_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=f"cannot reach {url}.*; start it, or mend base_url"):
        make(url).chat(ASK, decoding=Decoding())


# --- keys


@pytest.mark.parametrize(
    "reply",
    [refusal(401, f"Incorrect API key: {KEY}"), stream({"error": {"message": f"{KEY} has no quota"}})],
    ids=["refused", "in-the-stream"],
)
def test_a_key_is_sent_but_never_shown(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serve([reply]) as endpoint:
        model = make(endpoint.url, api_key_env="MY_KEY")
        with pytest.raises(ModelError) as caught:
            model.chat(ASK, decoding=Decoding())
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert KEY not in repr(model)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in str(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def test_openai_s_key_is_not_shown_to_a_server_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve([text("ok")]) as endpoint:
        make(endpoint.url).chat(ASK, decoding=Decoding())
    assert KEY not in endpoint.keys[0]


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingPart, match="the variable OPENAI_API_KEY is empty; export"):
        make("https://api.example.com/v1")


@pytest.mark.parametrize("url", ["ftp://x/v1", "localhost:8000", "https://user:pw@host/v1"])
def test_a_base_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        openai.Settings(model="m", base_url=url)


# --- structured output and tools


def test_json_that_does_not_validate_gets_one_repair() -> None:
    with serve([text('{"age": "old"}'), text('{"age": 42}')]) as endpoint:
        completion = make(endpoint.url).chat(ASK, decoding=Decoding(schema=AGE))
    assert completion.text == '{"age": 42}'
    assert completion.usage.input_tokens == 20  # both attempts are paid for
    assert "does not validate" in endpoint.requests[1]["messages"][-1]["content"]


def test_json_that_never_validates_is_an_error() -> None:
    with serve([text("forty-two")]) as endpoint, pytest.raises(ModelError, match=r"does not validate .not JSON"):
        make(endpoint.url).chat(ASK, decoding=Decoding(schema=AGE))
    assert len(endpoint.requests) == 2


def test_a_server_without_json_schema_is_asked_for_any_json_and_remembered() -> None:
    no = refusal(400, "response_format.type json_schema is not supported")
    with serve([no, text('{"age": 1}')]) as endpoint:
        model = make(endpoint.url)
        for _ in range(2):
            assert model.chat(ASK, decoding=Decoding(schema=AGE)).text == '{"age": 1}'
    formats = [request["response_format"]["type"] for request in endpoint.requests]
    assert formats == ["json_schema", "json_object", "json_object"]
    assert '"age"' in endpoint.requests[1]["messages"][-1]["content"]


def test_who_leaves_while_json_is_written_is_noticed_and_told_nothing() -> None:
    heard: list[str] = []

    def leaves(piece: str) -> bool:
        heard.append(piece)
        return True

    with serve([stream(chunk(content='{"age"'), chunk(content=": 1}"), chunk(finish="stop"))]) as endpoint:
        completion = make(endpoint.url).chat(ASK, decoding=Decoding(schema=AGE), on_text=leaves)
    assert completion.finish == "cancelled"
    assert heard == [""]
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("begun", [False, True], ids=["before its head", "within its stream"])
def test_who_leaves_a_silent_server_is_heard_long_before_the_timeout(begun: bool) -> None:
    left, asked = threading.Event(), threading.Event()

    def hear(_: str) -> bool:
        asked.set()
        return left.is_set()

    with silent(begun=begun) as (url, gone):
        model = make(url, timeout=600.0)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(model.chat, ASK, decoding=Decoding(), on_text=hear)
            assert asked.wait(30)
            left.set()
            assert writing.result(timeout=30).finish == "cancelled"
        assert gone.wait(30), "the connection stayed open"


def test_no_more_requests_are_sent_at_once_than_parallel_says() -> None:
    with serve([text("ok")]) as endpoint:
        model = make(endpoint.url, parallel=2)
        under_way, most = 0, 0
        lock = threading.Lock()

        def count(piece: str) -> None:
            nonlocal under_way, most
            if not piece:  # who still waits is asked too
                return
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.02)
            with lock:
                under_way -= 1

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(model.chat, ASK, decoding=Decoding(), on_text=count) for _ in range(8)]
            assert {one.result().text for one in asked} == {"ok"}
    assert model.parallel == 2
    assert 1 <= most <= 2


def test_a_tool_call_is_put_together_from_its_pieces() -> None:
    def part(index: int, call: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
        return {"index": index, "id": call, "function": {"name": name, "arguments": arguments}}

    replies = stream(
        chunk(tool_calls=[part(0, "c1", "weather", '{"ci')]),
        chunk(tool_calls=[part(0, arguments='ty": "Paris"}'), part(1, "c2", "time", "{}")]),
        chunk(finish="tool_calls"),
        usage(5, 9),
    )
    with serve([replies]) as endpoint:
        completion = make(endpoint.url).chat(ASK, decoding=Decoding(tools=({"type": "function"},)))
    assert completion.finish == "tool_calls"
    assert [(call.id, call.name, call.arguments) for call in completion.tool_calls] == [
        ("c1", "weather", '{"city": "Paris"}'),
        ("c2", "time", "{}"),
    ]


def test_what_nobody_hears_is_asked_for_whole() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    other = {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call, other]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    counted = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    said = {"id": "w", "object": "chat.completion", "created": 1, "model": "served-model", "choices": [choice]}
    whole = Reply(headers={"Content-Type": "application/json"}, body=json.dumps(said | {"usage": counted}).encode())
    heard: list[str] = []
    with serve([whole, stream(chunk(content="word"), chunk(finish="stop"))]) as endpoint:
        model = make(endpoint.url, timeout=60.0)
        completion = model.chat(ASK, decoding=Decoding(max_tokens=50), on_text=hush(heard.append))
        model.chat(ASK, decoding=Decoding(max_tokens=5_000))  # would be silent for longer than the timeout
    assert "stream" not in endpoint.requests[0]
    assert endpoint.requests[1]["stream"] is True
    assert [(one.id, one.name) for one in completion.tool_calls] == [("c1", "weather"), ("c2", "time")]
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (7, 3)
    assert not any(heard)


def test_many_who_leave_at_once_cost_no_other_answer() -> None:
    with serve([text("ok")]) as endpoint:
        model = make(endpoint.url, parallel=8)

        def ask(number: int) -> str:
            leave = number % 3 == 0
            return model.chat(ASK, decoding=Decoding(), on_text=lambda piece: leave and bool(piece)).text

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(120))) == {"ok"}
        model.close()


def test_a_stop_string_holds_even_when_the_server_ignores_it() -> None:
    pieces: list[str] = []
    with serve([stream(chunk(content="one EN"), chunk(content="D two"), chunk(finish="stop"))]) as endpoint:
        completion = make(endpoint.url).chat(ASK, decoding=Decoding(stop=("END",)), on_text=pieces.append)
    assert completion.text == "one " == "".join(pieces)
    assert endpoint.requests[0]["stop"] == ["END"]


def test_a_reasoning_model_is_sent_no_sampling() -> None:
    with serve([text("ok")]) as endpoint:
        make(endpoint.url, own_sampling=True).chat(ASK, decoding=Decoding(temperature=0.3))
    assert not {"temperature", "top_p", "seed"} & endpoint.requests[0].keys()
