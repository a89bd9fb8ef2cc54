"""The older completions, embeddings and reranking."""

from __future__ import annotations

import math
from typing import Any

import httpx2
import openai
import pytest

from serving import Served

TEXTS = ["The kettle holds 1.7 litres.", "Toner for the printer.", "Ein Wasserkocher."]


@pytest.fixture
def http(served: Served) -> Any:
    with httpx2.Client(base_url=f"{served.base_url}/v1", timeout=60) as made:
        yield made


# --- completions


def test_prompts_are_answered_each(client: openai.OpenAI) -> None:
    asked: Any = {"model": "chat", "max_tokens": 4, "temperature": 0, "logprobs": 1}
    said = client.completions.create(**asked, prompt=["Name a colour.", "Name a river."], n=2)
    assert [choice.index for choice in said.choices] == [0, 1, 2, 3]
    assert said.usage is not None
    assert said.usage.completion_tokens == 16
    one = said.choices[0]
    assert one.logprobs is not None
    assert "".join(one.logprobs.tokens or []) == one.text
    assert one.logprobs.text_offset is not None
    assert one.text[one.logprobs.text_offset[1] :].startswith((one.logprobs.tokens or [])[1])
    chunks = list(client.completions.create(**asked, prompt="Name a colour.", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == one.text


def test_an_application_answers_a_prompt(client: openai.OpenAI) -> None:
    said: Any = client.completions.create(model="app/quoting", prompt="How much does the kettle hold?")
    assert "[1]" in said.choices[0].text
    assert said.choices[0].gatewheel["citations"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("suffix", "x"), ("best_of", 2), ("prompt", [1, 2]), ("prompt", [[1]]), ("logprobs", 6)],
)
def test_a_completion_refuses_what_it_cannot(client: openai.OpenAI, field: str, value: Any) -> None:
    body: Any = {"model": "chat", "prompt": "x", "max_tokens": 1, field: value}
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/completions", body=body, cast_to=object)
    error: Any = refused.value.body
    assert str(error["param"]).startswith(field)


# --- embeddings


def test_embeddings_are_the_encoders_in_either_form(client: openai.OpenAI, served: Served) -> None:
    mine = served.project.parts.encoder.encode(TEXTS)
    packed = client.embeddings.create(model="encoder", input=TEXTS)  # the client asks for base64
    plain = client.embeddings.create(model="encoder", input=TEXTS, encoding_format="float")
    for row, one, other in zip(mine, packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(row.tolist(), abs=1e-6)
        assert other.embedding == pytest.approx(row.tolist(), abs=1e-6)
    assert [one.index for one in packed.data] == [0, 1, 2]
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 10


def test_fewer_dimensions_are_a_unit_vector_again(client: openai.OpenAI) -> None:
    whole, short = (
        client.embeddings.create(model="encoder", input=TEXTS[0], **more).data[0].embedding
        for more in ({}, {"dimensions": 64})
    )
    assert len(short) == 64
    assert math.fsum(x * x for x in short) == pytest.approx(1, abs=1e-5)
    assert short[1] / short[0] == pytest.approx(whole[1] / whole[0], rel=1e-3)


@pytest.mark.parametrize(
    "more", [{"input": ""}, {"input": []}, {"input": [1, 2]}, {"input": ["a", ""]}, {"dimensions": 9999}]
)
def test_embeddings_refuse_what_has_none(client: openai.OpenAI, more: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(**({"model": "encoder", "input": "a"} | more))


def test_each_endpoint_names_the_model_that_it_wants(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="'encoder'"):
        client.embeddings.create(model="chat", input="a")
    with pytest.raises(openai.BadRequestError, match="writes nothing"):
        client.chat.completions.create(model="encoder", messages=[{"role": "user", "content": "a"}])


# --- rerank


def test_the_document_that_answers_comes_first(http: Any) -> None:
    long = "Nothing of interest happens here. " * 200 + "The kettle holds 1.7 litres of water."
    documents = ["Toner for the printer.", {"text": TEXTS[0]}, "Holiday is 28 days.", long]
    body = {"model": "encoder", "query": "How much does the kettle hold?", "documents": documents}
    found = http.post("/rerank", json=body | {"top_n": 2, "return_documents": True}).json()
    assert [one["index"] for one in found["results"]] == [1, 3]  # the end of the long one counts too
    assert found["results"][0]["document"] == {"text": TEXTS[0]}
    every = http.post("/rerank", json=body).json()["results"]
    scores = [one["relevance_score"] for one in every]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert "document" not in every[0]


@pytest.mark.parametrize("more", [{"documents": []}, {"query": " "}, {"top_n": 0}, {"documents": "x"}])
def test_rerank_refuses_what_has_no_order(http: Any, more: Any) -> None:
    refused = http.post("/rerank", json={"model": "encoder", "query": "a", "documents": ["b"]} | more)
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_every_response_has_a_request_id(http: Any) -> None:
    answers = [http.get("/models"), http.get("/models/x"), http.post("/chat/completions", content=b"{"), http.get("/x")]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert [answer.status_code for answer in answers] == [200, 404, 400, 404]
    assert all(answer.json()["error"]["message"] for answer in answers[1:])
