"""LangChain's ChatOpenAI, unmodified."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from serving import Served

pytest.importorskip("langchain_openai")


class City(BaseModel):
    """A city."""

    population: int
    coastal: bool


def chat(served: Served, model: str, **more: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, base_url=f"{served.base_url}/v1", api_key="none", max_retries=0, **more)  # type: ignore[arg-type]


def test_it_asks_and_streams(served: Served) -> None:
    model = chat(served, "chat", temperature=0, max_completion_tokens=8, seed=1)
    said = model.invoke("What is the capital of France?")
    assert said.content
    assert said.usage_metadata["output_tokens"] == 8
    assert "".join(chunk.content for chunk in model.stream("What is the capital of France?")) == said.content


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_application_answers_from_the_documents(served: Served, api: str) -> None:
    model = chat(served, "app/quoting", use_responses_api=api == "responses")
    for said in (model.invoke("How much does the kettle hold?"), _whole(model, "How much does the kettle hold?")):
        assert "1.7 litres [1]" in said.text


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_its_structured_output_is_structured(served: Served, method: str) -> None:
    model = chat(served, "chat", temperature=0, max_completion_tokens=60)
    assert isinstance(model.with_structured_output(City, method=method).invoke("How big is Paris?"), City)


def test_it_binds_tools(served: Served) -> None:
    from langchain_core.tools import tool

    @tool
    def population(city: City) -> int:
        """The population of a city."""
        return city.population

    model = chat(served, "chat", temperature=0, max_completion_tokens=80)
    said = model.bind_tools([population], tool_choice="population").invoke("How big is Paris?")
    assert said.tool_calls[0]["name"] == "population"
    City(**said.tool_calls[0]["args"]["city"])


def test_its_embeddings_are_the_encoders(served: Served) -> None:
    from langchain_openai import OpenAIEmbeddings

    made: Any = OpenAIEmbeddings(
        model="encoder",
        base_url=f"{served.base_url}/v1",
        api_key="none",  # type: ignore[arg-type]
        check_embedding_ctx_length=False,  # otherwise it sends token ids of a model that is not ours
    )
    wanted = served.project.parts.encoder.encode(["kettle"])[0].tolist()
    assert made.embed_query("kettle") == pytest.approx(wanted, abs=1e-6)


def test_many_ask_at_once(served: Served) -> None:
    model = chat(served, "chat", temperature=0, max_completion_tokens=4)
    assert all(said.content for said in model.batch([f"What is {n} + {n}?" for n in range(6)]))


def _whole(model: Any, question: str) -> Any:
    whole = None
    for chunk in model.stream(question):
        whole = chunk if whole is None else whole + chunk
    return whole
