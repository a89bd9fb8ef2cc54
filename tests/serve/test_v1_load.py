"""A service with one place: who leaves frees it, who comes when it is taken is told when to come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from awaiting import eventually
from serving import Served

# long enough that it is certainly still writing when something else happens
LONG: Any = {"model": "chat", "messages": [{"role": "user", "content": "Count from 1 to 1000."}], "temperature": 0}


@pytest.fixture(scope="module")
def narrow(serve: Callable[..., Served]) -> Served:
    return serve(serve="slots = 1\nqueue = 0")


@pytest.fixture
def client(narrow: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{narrow.base_url}/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made


def test_leaving_a_stream_stops_the_engine(narrow: Served, client: openai.OpenAI) -> None:
    starts: list[Callable[[], Any]] = [
        lambda: client.chat.completions.create(**LONG, stream=True),
        lambda: client.responses.create(model="chat", input="Count from 1 to 1000.", stream=True),
    ]
    for start in starts:
        stream = start()
        next(iter(stream))
        assert narrow.service.line.served == 1
        stream.close()
        eventually(lambda: narrow.service.line.served == 0)
        _cancelled(narrow)


def test_leaving_without_a_stream_stops_the_engine(narrow: Served) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{narrow.base_url}/v1/chat/completions", json=LONG, timeout=1.0)
    eventually(lambda: narrow.service.line.served == 0)
    _cancelled(narrow)


def test_whoever_finds_the_line_full_is_told_when_to_come_back(narrow: Served, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**LONG, stream=True)
    next(iter(stream))
    for again in (False, True):
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**LONG, stream=again)
        assert refused.value.code == "queue_full"
        assert int(refused.value.response.headers["retry-after"]) >= 1
    assert client.models.list().data  # what needs no model is answered all the same
    stream.close()
    eventually(lambda: narrow.service.line.served == 0)


def test_the_official_client_comes_back_by_itself(narrow: Served, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**LONG, stream=True)
    next(iter(stream))
    threading.Timer(0.5, stream.close).start()
    said = client.with_options(max_retries=5).chat.completions.create(**LONG, max_tokens=2)
    assert said.choices


def test_leaving_the_queue_frees_the_place_in_it(serve: Callable[..., Served]) -> None:
    served = serve(serve="slots = 1\nqueue = 1")
    with openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        for _ in range(2):
            stream = client.chat.completions.create(**LONG, stream=True)
            next(iter(stream))
            with pytest.raises(httpx2.ReadTimeout):
                httpx2.post(f"{served.base_url}/v1/chat/completions", json=LONG, timeout=0.5)
            eventually(lambda: served.service.line.waiting == 0)
            assert served.service.line.served == 1
            stream.close()
            eventually(lambda: served.service.line.served == 0)


def _cancelled(served: Served) -> None:
    def told() -> bool:
        newest: Any = served.project.traces(limit=1)[0]
        return "cancelled" in newest.error and newest.output_tokens < 1000

    eventually(told)
