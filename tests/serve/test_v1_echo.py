"""How likely given tokens are, over the wire: completions with `echo`, and the routes of the tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from fastapi.testclient import TestClient

import gatewheel as gw
from gatewheel.ops import keys
from gatewheel.serve import app as application
from serving import Served

MODEL = '\n[model.reader]\nuse = "openvino"\nthreads = 1\ncontext_length = 256\n'
PROMPT = "The capital of France is"
ODD = "Füchse 🦊 aus 世界, sagt <|im_start|>Ada."


@pytest.fixture(scope="module")
def reading(serve: Any) -> Served:
    return serve(more=MODEL)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def client(reading: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{reading.base_url}/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made


@pytest.fixture(scope="module")
def http(reading: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=reading.base_url, timeout=60) as made:
        yield made


def echoed(client: openai.OpenAI, prompt: Any, **more: Any) -> Any:
    said = {"model": "reader", "echo": True, "max_tokens": 0, "logprobs": 1, "temperature": 0, **more}
    return client.completions.create(prompt=prompt, **said)


def tokens_of(http: httpx2.Client, text: str) -> list[int]:
    asked = {"prompt": text, "model": "reader", "add_special_tokens": False}
    return http.post("/tokenize", json=asked).json()["tokens"]  # type: ignore[no-any-return]


# --- completions


def test_a_prompt_comes_back_with_what_its_tokens_are_worth(client: openai.OpenAI) -> None:
    said = echoed(client, f"{PROMPT} Paris.", logprobs=5)
    one = said.choices[0]
    told = one.logprobs
    assert one.text == f"{PROMPT} Paris." == "".join(told.tokens)
    assert told.token_logprobs[0] is None
    assert told.top_logprobs[0] is None
    for own, top in zip(told.token_logprobs[1:], told.top_logprobs[1:], strict=True):
        values = list(top.values())
        assert values == sorted(values, reverse=True)
        assert len(values) <= 5
        assert own <= values[0] <= 0
    assert [one.text[at:].startswith(token) for at, token in zip(told.text_offset, told.tokens, strict=True)]
    assert said.usage.prompt_tokens == len(told.tokens)
    assert said.usage.completion_tokens == 0


def test_one_more_token_is_the_likeliest(client: openai.OpenAI) -> None:
    whole = echoed(client, PROMPT, max_tokens=1).choices[0]
    assert whole.text == f"{PROMPT} Paris"
    told = whole.logprobs
    assert told.tokens[-1] == " Paris"
    assert told.token_logprobs[-1] == max(told.top_logprobs[-1].values())
    without = echoed(client, PROMPT).choices[0].logprobs
    assert without.token_logprobs[1:] == pytest.approx(told.token_logprobs[1:-1], abs=1e-5)


def test_as_an_evaluation_harness_asks(client: openai.OpenAI, http: httpx2.Client, reading: Served) -> None:
    """Contexts and continuations as token ids, one token more, the sum over the continuation without it."""
    choices = [" Paris.", " London, and nothing else."]
    contexts = tokens_of(http, PROMPT)
    rows = [tokens_of(http, PROMPT + choice) for choice in choices]
    assert all(row[: len(contexts)] == contexts for row in rows)
    said = echoed(client, rows, max_tokens=1)
    assert [choice.index for choice in said.choices] == [0, 1]
    mine = reading.project.parts.likelihoods("reader").likelihoods(PROMPT, choices)
    for choice, own in zip(said.choices, mine, strict=True):
        told = choice.logprobs
        scored = told.token_logprobs[len(contexts) : -1]
        assert math.fsum(scored) == pytest.approx(own.logprob, abs=1e-4)
        tops = told.top_logprobs[len(contexts) : -1]
        assert own.greedy == all(one == max(top.values()) for one, top in zip(scored, tops, strict=True))
    assert [own.greedy for own in mine] == [True, False]


def test_ids_and_their_text_are_worth_the_same(client: openai.OpenAI, http: httpx2.Client) -> None:
    ids = tokens_of(http, ODD)
    by_text, by_ids = echoed(client, ODD).choices[0], echoed(client, ids).choices[0]
    assert by_text.text == by_ids.text == ODD
    assert by_text.logprobs.token_logprobs == by_ids.logprobs.token_logprobs
    told = by_text.logprobs
    assert told.text_offset == sorted(told.text_offset)
    for token, at in zip(told.tokens, told.text_offset, strict=True):
        if "\ufffd" not in token:
            assert ODD[at:].startswith(token)
    assert told.text_offset[-1] == len(ODD) - len(told.tokens[-1])


def test_without_logprobs_none_are_sent(client: openai.OpenAI) -> None:
    assert echoed(client, PROMPT, logprobs=None).choices[0].logprobs is None


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("max_tokens", {"max_tokens": 2}),
        ("max_tokens", {"max_tokens": None}),
        ("temperature", {"max_tokens": 1, "temperature": 0.5}),
        ("temperature", {"max_tokens": 1, "temperature": None}),
        ("stream", {"stream": True}),
        ("n", {"n": 2}),
        ("stop", {"stop": ["."]}),
        ("logprobs", {"logprobs": 6}),
        ("model", {"model": "app"}),
        ("model", {"model": "encoder"}),
        ("prompt", {"prompt": []}),
        ("prompt", {"prompt": [[]]}),
        ("prompt", {"prompt": [[1], "x"]}),
        ("prompt", {"prompt": [1] * 257}),
        ("prompt", {"prompt": "a " * 300}),
        ("prompt", {"prompt": "a" * 10_000}),
        (None, {"prompt": [10**9]}),
    ],
)
def test_echo_refuses_what_it_cannot(client: openai.OpenAI, field: str | None, more: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/completions", body=echo_body() | more, cast_to=object)
    error: Any = refused.value.body
    assert (error["param"] or "").startswith(field or "")
    assert error["message"]


def echo_body() -> dict[str, Any]:
    return {"model": "reader", "prompt": "x", "echo": True, "max_tokens": 0, "temperature": 0, "logprobs": 1}


def test_a_prompt_beyond_the_context_is_told_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        echoed(client, "a " * 300)
    assert refused.value.code == "context_length_exceeded"
    assert "256" in refused.value.message


def test_what_only_reads_is_no_trace_and_is_counted(client: openai.OpenAI, reading: Served) -> None:
    before = httpx2.get(f"{reading.base_url}/api/traces").json()["traces"]
    echoed(client, PROMPT)
    assert httpx2.get(f"{reading.base_url}/api/traces").json()["traces"] == before
    counted = httpx2.get(f"{reading.base_url}/metrics").text
    assert 'gen_ai_request_model="reader"' in counted


# --- the tokenizer


@pytest.mark.parametrize("text", [ODD, "", " \n\n x", "plain"])
def test_tokens_become_the_text_again(http: httpx2.Client, text: str) -> None:
    ids = tokens_of(http, text)
    assert http.post("/detokenize", json={"model": "reader", "tokens": ids}).json() == {"prompt": text}


def test_what_the_model_says_of_itself(http: httpx2.Client) -> None:
    info = http.get("/tokenizer_info", params={"model": "reader"}).json()
    assert (info["bos_token"], info["eos_token"]) == ("<|im_start|>", "<|im_end|>")
    assert len(tokens_of(http, info["eos_token"])) == 1
    assert "messages" in info["chat_template"]
    assert info["model_max_length"] == 256


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {"prompt": "x", "model": "nobody"}),
        ("/tokenize", {"prompt": "x", "model": "app"}),
        ("/tokenize", {"prompt": "x", "model": "reader", "add_special_tokens": True}),
        ("/tokenize", {"model": "reader"}),
        ("/detokenize", {"tokens": [-1], "model": "reader"}),
        ("/detokenize", {"tokens": [10**12], "model": "reader"}),
        ("/detokenize", {"tokens": ["x"], "model": "reader"}),
    ],
)
def test_the_tokenizer_refuses_what_it_cannot(http: httpx2.Client, path: str, body: Any) -> None:
    refused = http.post(path, json=body)
    assert refused.status_code in (400, 404), refused.text
    assert set(refused.json()["error"]) == {"message", "type", "param", "code"}


def test_the_tokenizer_loads_no_weights(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    toml = tmp_path / "gatewheel.toml"
    gone = '\n[model.gone]\nuse = "llama.cpp"\nweights = "gone.gguf"\n'
    toml.write_text(toml.read_text(encoding="utf-8") + MODEL + gone, encoding="utf-8")
    said: list[str] = []
    with gw.open(tmp_path, say=said.append) as project:
        owner = TestClient(application.create(project), base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
        tokens = owner.post("/tokenize", json={"prompt": ODD, "model": "reader"}).json()["tokens"]
        assert owner.post("/detokenize", json={"tokens": tokens, "model": "reader"}).json() == {"prompt": ODD}
        assert owner.get("/tokenizer_info", params={"model": "reader"}).json()["bos_token"] == "<|im_start|>"
        assert not [line for line in said if line.startswith("loading")]
        refused = owner.post("/tokenize", json={"prompt": ODD, "model": "gone"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model"), "without looking for weights"
        assert owner.post("/v1/completions", json=echo_body()).status_code == 200
        assert [line for line in said if line.startswith("loading")]


def test_only_who_may_ask_is_told(tmp_path: Any) -> None:
    gw.init(tmp_path).close()
    with gw.open(tmp_path) as project:
        visit = TestClient(application.create(project), client=("10.0.0.1", 50_000))
        _, secret = keys.create(project.parts.engine, name="looks", scopes=("operate",))
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {secret}"}, 403)):
            assert visit.get("/tokenizer_info", headers=headers).status_code == status
            for path, body in (("/tokenize", {"prompt": "x"}), ("/detokenize", {"tokens": [1]})):
                assert visit.post(path, json=body, headers=headers).status_code == status
            assert visit.post("/v1/completions", json=echo_body(), headers=headers).status_code == status
