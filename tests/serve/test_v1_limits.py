"""What one key may ask of a service at most, whom it listens to, and who is dropped."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import httpx2
import pytest
import uvicorn

from awaiting import eventually
from gatewheel.ops import keys
from gatewheel.serve import events, patience
from gatewheel.serve.v1 import embeddings
from serving import Served
from silent_server import silent

MB = 1_000_000
ASK = [{"role": "user", "content": "x"}]


@pytest.fixture
def http(served: Served) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{served.base_url}/v1", timeout=60) as made:
        yield made


def test_json_has_a_smaller_limit_than_an_upload(http: httpx2.Client, served: Served) -> None:
    said = json.dumps({"model": "chat", "messages": ASK, "user": "x" * 3 * MB})
    for kind in ("application/json", "multipart/form-data; boundary=x"):
        refused = http.post("/chat/completions", content=said, headers={"content-type": kind})
        assert refused.status_code == 413
        assert "max_json_mb" in refused.json()["error"]["message"]
    files = {"files": ("nothing.bin", b"\0" * 3 * MB)}
    assert httpx2.post(f"{served.base_url}/api/documents", files=files, timeout=60).status_code != 413


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/chat/completions", {"model": "chat", "messages": ASK * 2001}),
        ("/chat/completions", {"model": "chat", "messages": ASK, "stop": ["x"] * 65}),
        ("/responses", {"model": "chat", "input": ASK * 2001}),
        ("/embeddings", {"model": "encoder", "input": "x" * 2_000_001}),
        ("/rerank", {"model": "encoder", "query": "x", "documents": ["x" * 1_000_001] * 2}),
    ],
    ids=["messages", "stop", "input", "embeddings", "rerank"],
)
def test_a_request_of_very_much_is_refused_by_name(
    serve: Callable[..., Served], path: str, more: dict[str, Any], large: Served
) -> None:
    refused = httpx2.post(f"{large.base_url}/v1{path}", json=more, timeout=60)
    assert refused.status_code == 400
    field = next(name for name in ("stop", "messages", "input", "documents") if name in more)
    assert refused.json()["error"]["param"].startswith(field)


@pytest.fixture(scope="module")
def large(serve: Callable[..., Served]) -> Served:
    return serve(serve="max_json_mb = 10")


@pytest.mark.parametrize("model", ["chat", "app"])
def test_what_cannot_fit_takes_no_place(http: httpx2.Client, served: Served, model: str) -> None:
    said = [{"role": "user", "content": "word " * 20_000}]
    refused = http.post("/chat/completions", json={"model": model, "messages": said})
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    refused = http.post("/responses", json={"model": model, "input": said})
    assert refused.json()["error"]["param"] == "input"


def test_a_stranger_s_large_body_is_not_awaited(serve: Callable[..., Served]) -> None:
    office = serve()
    _, secret = keys.create(office.project.parts.engine, name="ada", scopes=("ask",))
    host, port = office.base_url.removeprefix("http://").split(":")
    for length in ("Content-Length: 100000", "Transfer-Encoding: chunked"):
        for key, status in (("", b"401"), ("gw_wrong", b"401"), (secret, b"100")):
            header = f"Expect: 100-continue\r\nAuthorization: Bearer {key}\r\n"
            with socket.create_connection((host, int(port)), timeout=60) as raw:
                head = f"POST /v1/embeddings HTTP/1.1\r\nHost: {host}\r\n{header}{length}\r\n\r\n"
                raw.sendall(head.encode())
                assert raw.recv(100).startswith(b"HTTP/1.1 " + status)


def test_embeddings_stop_between_two_batches(served: Served) -> None:
    encoder, asked = served.project.parts.encoder, []

    def say(piece: object) -> bool:
        asked.append(piece)
        return len(asked) > 1

    texts = ["text"] * (embeddings.BATCH * 3)
    with pytest.raises(embeddings.Gone):
        embeddings.encoded(served.service, cast(Any, served.project.caller), "encoder", texts, encoder=encoder, say=say)
    assert len(asked) == 2


def test_a_stream_that_waits_for_its_first_word_is_kept_alive(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "EVERY", 0.1)
    with silent(begun=False) as (url, gone):
        table = f'[model.silent]\nuse = "openai"\nmodel = "m"\nbase_url = "{url}"\ntimeout = 600.0\n'
        office = serve(serve="slots = 1", more=table)
        said = {"model": "silent", "messages": ASK, "stream": True}
        with httpx2.stream("POST", f"{office.base_url}/v1/chat/completions", json=said, timeout=60) as stream:
            assert next(stream.iter_bytes()).startswith(b": ")
            assert office.service.line.served == 1
        eventually(lambda: office.service.line.served == 0)
        assert gone.wait(30)


def test_who_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALLED", 0.2)
    ended = threading.Event()

    async def endless(_: Any, receive: Any, send: Any) -> None:
        leaving = asyncio.ensure_future(_left(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not leaving.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    protocol = cast(Any, partial(patience.PatientProtocol, seconds=30))
    server = uvicorn.Server(uvicorn.Config(endless, http=protocol, lifespan="off", log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        with socket.create_connection(listening.getsockname(), timeout=30) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert ended.wait(30)
        server.should_exit = True
        thread.join(30)


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
