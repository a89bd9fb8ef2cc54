"""A fallback turns to the next model when one fails, never mixes two answers, and leaves the dead alone."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Reply, chunk, refusal, serve, stream, text

from gatewheel.kernel import config as configuration
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ConfigError, MissingPart, ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding, Model
from gatewheel.loop.compose import Parts
from gatewheel.loop.starting import init
from gatewheel.models import fallback, openai

ASK = [Message(role="user", content="What is the capital of France?")]
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
SSE = {"Content-Type": "text/event-stream"}


def endpoint(url: str, **more: Any) -> Model:
    return openai.create(openai.Settings(model="m", base_url=url, **{"timeout": 20.0, "max_retries": 0, **more}))


def behind(*models: Model, **settings: Any) -> Model:
    named = {f"model {n}": model for n, model in enumerate(models)}
    return fallback.create(fallback.Settings(models=tuple(named), **settings), model=named.__getitem__)


def by(model: str, content: str) -> Reply:
    return stream(chunk(content=content) | {"model": model}, chunk(finish="stop") | {"model": model})


@pytest.fixture
def nobody() -> str:
    """The URL of a port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


PASSING = {
    "500": refusal(500, "broken"),
    "503": refusal(503, "overloaded"),
    "429": refusal(429, "slow down", **{"Retry-After": "0.05"}),
    "hanging": Reply(hang=True),
    "broken JSON": Reply(headers=SSE, body=b"data: {not json\n\n"),
    "no chunks": stream({"hello": "world"}),
    "an error in the stream": stream({"error": {"message": "out of memory", "code": 500}}),
    "cut before a word": Reply(headers=SSE, body=b""),
    "a page of HTML": Reply(headers={"Content-Type": "text/html"}, body=b"<html>Bad gateway</html>"),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_a_failure_that_may_pass_is_answered_by_the_next(reply: Reply) -> None:
    pieces: list[str] = []
    with serve([reply]) as ill, serve([by("second", "Paris")]) as well:
        model = behind(endpoint(ill.url, timeout=0.3), endpoint(well.url))
        completion = model.chat(ASK, decoding=Decoding(), on_text=pieces.append)
    assert completion.text == "Paris" == "".join(pieces)
    assert completion.model == "second"
    assert len(ill.requests) == len(well.requests) == 1


def test_a_refused_connection_is_answered_by_the_next(nobody: str) -> None:
    with serve([by("second", "Paris")]) as well:
        completion = behind(endpoint(nobody), endpoint(well.url)).chat(ASK, decoding=Decoding())
    assert (completion.text, completion.model) == ("Paris", "second")


def test_who_is_well_answers_and_the_next_is_not_asked() -> None:
    with serve([by("first", "Paris")]) as well, serve([text("?")]) as spare:
        assert behind(endpoint(well.url), endpoint(spare.url)).chat(ASK, decoding=Decoding()).model == "first"
    assert spare.requests == []


def test_two_answers_are_never_mixed() -> None:
    pieces: list[str] = []
    cut = stream(chunk(content="Lyon is"), done=False)
    with serve([cut]) as ill, serve([text("Paris")]) as well:
        model = behind(endpoint(ill.url), endpoint(well.url))
        with pytest.raises(ModelError, match="broke off"):
            model.chat(ASK, decoding=Decoding(), on_text=pieces.append)
        assert "".join(pieces) == "Lyon is"
        assert well.requests == []
        # who hears nothing while it is written can still be given the other answer
        assert model.chat(ASK, decoding=Decoding()).text == "Paris"


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_fault_of_the_request_or_the_settings_is_told_not_hidden(status: int) -> None:
    with serve([refusal(status, "no")]) as ill, serve([text("Paris")]) as well:
        model = behind(endpoint(ill.url), endpoint(well.url), failures=1)
        for _ in range(2):
            with pytest.raises(ModelError) as caught:
                model.chat(ASK, decoding=Decoding())
            assert not caught.value.retryable
    assert len(ill.requests) == 2
    assert well.requests == []


def test_json_under_a_schema_falls_back_too() -> None:
    with serve([refusal(502, "bad gateway")]) as ill, serve([text('{"age": 4}')]) as well:
        completion = behind(endpoint(ill.url), endpoint(well.url)).chat(ASK, decoding=Decoding(schema=AGE))
    assert json.loads(completion.text) == {"age": 4}


def test_when_none_can_answer_every_reason_is_told(nobody: str) -> None:
    with serve([refusal(503, "overloaded")]) as ill:
        model = behind(endpoint(nobody), endpoint(ill.url), failures=1, cooldown=600)
        with pytest.raises(ModelError, match=r"no model could answer .*cannot reach.*answered 503 .overloaded") as all_:
            model.chat(ASK, decoding=Decoding())
        assert all_.value.retryable
        with pytest.raises(ModelError, match=r"keeps failing and is tried again in \d+ s.*; try again later"):
            model.chat(ASK, decoding=Decoding())
    assert len(ill.requests) == 1


def test_a_dead_upstream_costs_nothing_until_it_is_tried_once_more() -> None:
    replies = [refusal(500, "broken")] * 3 + [by("first", "Back")]
    with serve(replies) as ill, serve([by("second", "Paris")]) as well:
        model = behind(endpoint(ill.url), endpoint(well.url), failures=2, cooldown=0.3)
        written = [model.chat(ASK, decoding=Decoding()).model for _ in range(6)]
        assert written == ["second"] * 6
        assert len(ill.requests) == 2
        time.sleep(0.35)
        assert model.chat(ASK, decoding=Decoding()).model == "second"  # the trial fails
        assert model.chat(ASK, decoding=Decoding()).model == "second"
        assert len(ill.requests) == 3
        time.sleep(0.35)
        assert [model.chat(ASK, decoding=Decoding()).model for _ in range(3)] == ["first"] * 3


def test_a_fault_of_the_caller_says_nothing_about_the_model() -> None:
    def fail(_: str) -> None:
        raise RuntimeError("no room")

    with serve([by("first", "Paris")]) as well:
        model = behind(endpoint(well.url), endpoint(well.url), failures=1)
        with pytest.raises(RuntimeError, match="no room"):
            model.chat(ASK, decoding=Decoding(), on_text=fail)
        assert model.chat(ASK, decoding=Decoding()).model == "first"
        assert model.chat(ASK, decoding=Decoding(), on_text=lambda _: True).finish == "cancelled"


def test_a_prompt_that_fits_the_fallback_fits_every_model() -> None:
    first = endpoint("http://localhost:1/v1", context_length=4096, parallel=7)
    model = behind(first, endpoint("http://localhost:2/v1", context_length=512, parallel=2))
    assert model.context_length == 512
    assert model.parallel == 7
    assert model.count_tokens("hello world") == first.count_tokens("hello world")
    assert model.name == "m or m"


# --- in gatewheel.toml

REMOTE = {"use": "openai", "model": "m", "base_url": "http://localhost:9/v1", "max_retries": 0}
LOCAL = {"use": "llama.cpp", "context_length": 256, "threads": 1}


def chat_with(models: list[str], **tables: Any) -> dict[str, Any]:
    return {"model": {"chat": {"use": "fallback", "models": models}, **tables}}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Callable[..., Parts]]:
    init(tmp_path)
    made: list[Parts] = []

    def make(models: list[str], **tables: Any) -> Parts:
        raw = {"encoder": {"main": {"use": "none"}}, **chat_with(models, **tables)}
        made.append(Parts(configuration.validate(raw, tmp_path / CONFIG_FILE)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_local_engine_answers_for_an_endpoint_that_is_away(parts: Callable[..., Parts], nobody: str) -> None:
    model = parts(["remote", "local"], remote={**REMOTE, "base_url": nobody}, local=LOCAL).model("chat")
    completion = model.chat(ASK, decoding=Decoding(max_tokens=4))
    assert completion.model == "smollm2-135m-instruct"
    assert completion.text


def test_a_variant_holds_the_recipe_of_every_model(parts: Callable[..., Parts]) -> None:
    first = parts(["remote", "local"], remote=REMOTE, local=LOCAL).variant()
    told = first.recipe["model"]["models"]
    assert [model["use"] for model in told] == ["openai", "llama.cpp"]
    assert told[1]["weights_sha256"]
    others = [
        parts(["remote", "local"], remote={**REMOTE, "model": "n"}, local=LOCAL),
        parts(["remote", "local"], remote=REMOTE, local={**LOCAL, "context_length": 512}),
        parts(["local", "remote"], remote=REMOTE, local=LOCAL),
    ]
    assert len({first.id, *(other.variant().id for other in others)}) == 4
    same = [
        parts(["remote", "local"], remote={**REMOTE, "timeout": 9.0}, local=LOCAL),
        parts(["far", "near"], far=REMOTE, near={**LOCAL, "parallel": 4}),  # the names of tables are no words
    ]
    assert {other.variant().id for other in same} == {first.id}


def test_what_is_missing_is_told_when_the_model_is_made(
    parts: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    away = {**REMOTE, "base_url": "https://api.example.com/v1"}
    with pytest.raises(MissingPart, match="OPENAI_API_KEY is empty"):
        parts(["remote", "local"], remote=away, local=LOCAL).model("chat")


@pytest.mark.parametrize(
    ("models", "more", "said"),
    [
        (["remote", "lokal"], {}, r"\[model.chat\] models: no \[model.lokal\]; did you mean 'local'"),
        (["remote", "chat"], {}, r"\[model.chat\] models: names itself; take it out"),
        (
            ["remote", "other"],
            {"other": {"use": "fallback", "models": ["local", "chat"]}},
            r"\[model.other\] models: names itself through \[model.chat\]|names itself through \[model.other\]",
        ),
        (["remote"], {}, r"\[model.chat\] models: .*at least 2"),
    ],
)
def test_a_list_that_cannot_work_is_refused(tmp_path: Path, models: list[str], more: dict[str, Any], said: str) -> None:
    raw = chat_with(models, remote=REMOTE, local=LOCAL, **more)
    with pytest.raises(ConfigError, match=said):
        configuration.validate(raw, tmp_path / CONFIG_FILE)


def test_a_fallback_may_name_a_fallback(tmp_path: Path) -> None:
    inner = {"use": "fallback", "models": ["remote", "local"]}
    config = configuration.validate(chat_with(["inner", "local"], inner=inner, remote=REMOTE, local=LOCAL), tmp_path)
    assert config.table("model", "chat").use == "fallback"
