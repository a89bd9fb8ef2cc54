"""What every request passes: limits of its body, headers of its response; in process and over a real socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import StreamingResponse

import gatewheel as gw
from gatewheel.kernel.settings import ServeSettings
from gatewheel.loop.project import Project
from gatewheel.ops import keys
from gatewheel.serve import app as application
from gatewheel.serve.limits import LINGER, Bodies, Headers

MB = 1_000_000
SETTINGS = ServeSettings(max_body_mb=1)  # type: ignore[call-arg]


def echo() -> Any:
    app = FastAPI()

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def parsed(said: dict[str, Any]) -> int:
        return len(said)

    return Headers(Bodies(app, SETTINGS))


def pieces(total: int, piece: int) -> Iterator[bytes]:
    for at in range(0, total, piece):
        yield b" " * min(piece, total - at)


@settings(max_examples=40)
@given(total=st.one_of(st.integers(0, 3 * MB), st.sampled_from([MB - 1, MB, MB + 1])), declared=st.booleans())
def test_a_body_passes_whole_or_is_refused(total: int, declared: bool) -> None:
    with TestClient(echo()) as client:
        for path in ("/size", "/json"):
            response = client.post(path, content=b" " * total if declared else pieces(total, 300_000))
            if total > MB:
                assert response.status_code == 413
                assert response.json()["error"]["code"] == "too_large"
            elif path == "/size":
                assert (response.status_code, response.json()) == (200, total)
            else:
                assert response.status_code == 422  # the app's own word on a body that is no JSON


def test_a_response_under_way_is_not_buffered_and_cannot_be_changed() -> None:
    seen: list[bytes] = []

    async def numbers(scope: Any, receive: Any, send: Any) -> None:
        async def count() -> Any:
            for number in range(3):
                assert len(seen) == number  # each piece has left before the next is made
                yield b"%d" % number

        await StreamingResponse(count())(scope, receive, send)

    async def drive() -> None:
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            message = next(messages, None)
            if message is None:
                await asyncio.Event().wait()
            return message

        async def send(message: Any) -> None:
            if message.get("body"):
                seen.append(message["body"])

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.3"}}
        await Headers(Bodies(numbers, SETTINGS))(scope, receive, send)

    asyncio.run(drive())
    assert seen == [b"0", b"1", b"2"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder: Path = tmp_path_factory.mktemp("bare")
    gw.init(folder).close()
    (folder / "gatewheel.toml").write_text('[encoder.main]\nuse = "none"\n[serve]\nmax_body_mb = 1\n')
    with gw.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    app = application.create(project)

    async def defect() -> None:
        raise ZeroDivisionError

    app.add_api_route("/defect", defect)
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1), raise_server_exceptions=False)


@pytest.mark.parametrize(
    "path", ["/", "/api/session", "/v1/models", "/api/search", "/no/such/page", "/healthz", "/defect"]
)
def test_every_response_carries_the_headers(client: TestClient, path: str) -> None:
    response = client.get(path)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert response.headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
    assert len(response.headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a-1.b:c_2", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("<x>", False), ("", False)],
)
def test_a_plain_request_id_comes_back(client: TestClient, said: str, kept: bool) -> None:
    given_back = client.get("/healthz", headers={"x-request-id": said}).headers["x-request-id"]
    assert given_back == said if kept else re.fullmatch("req_[0-9a-f]{24}", given_back)


BODIES: dict[str, bytes] = {
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a field": b'{"question":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a depth that parses": b'{"question":' + b"[" * 900 + b"]" * 900 + b"}",
    "invalid UTF-8": b'{"question": "\xff\xfe"}',
    "a lone surrogate": b'{"question": "\\ud800"}',
    "a number of many digits": b'{"question": ' + b"9" * 20_000 + b"}",
    "nothing": b"",
    "too much": b" " * (2 * MB),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/api/ask", "/api/session", "/v1/chat/completions"])
def test_a_body_that_is_no_request_is_the_clients_fault(client: TestClient, path: str, name: str) -> None:
    response = client.post(path, content=BODIES[name], headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500
    assert response.json()["error"]["message"]


# over a real socket


@pytest.fixture(scope="module")
def office(serve: Callable[..., Any]) -> Any:
    rules = '[access]\nrules = { "printer.md" = ["it"] }\n'
    return serve(serve="max_body_mb = 1\nidle_seconds = 3", more=rules)


def connected(office: Any) -> socket.socket:
    host, port = office.base_url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)), timeout=60)
    made.sendall(f"POST /api/session HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n".encode())
    return made


def test_a_large_body_gets_its_answer_however_it_is_sent(office: Any) -> None:
    with httpx.Client(base_url=office.base_url, timeout=60) as client:
        for content in (b" " * (3 * MB), pieces(3 * MB, 100_000)):
            assert client.post("/api/session", content=content).status_code == 413
        assert client.get("/api/session").status_code == 200
    with connected(office) as raw:  # a client that asks first sends nothing
        raw.sendall(f"Expect: 100-continue\r\nContent-Length: {3 * MB}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    with connected(office) as raw:  # larger than what is read to be polite
        raw.sendall(f"Content-Length: {(LINGER + 1) * MB}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_arrives_is_given_up(office: Any) -> None:
    with connected(office) as raw:
        raw.sendall(b"Content-Length: 100\r\n\r\n{")
        assert raw.recv(100).startswith(b"HTTP/1.1 408")


def test_an_answer_cites_nothing_that_the_key_may_not_see(office: Any) -> None:
    engine = office.project.parts.engine
    secrets = {name: keys.create(engine, name=name, groups=groups)[1] for name, groups in (("a", []), ("b", ["it"]))}
    question = "Who is the toner of the printer ordered from?"
    with httpx.Client(base_url=office.base_url, timeout=120) as client:
        for name, secret in secrets.items():
            client.headers["Authorization"] = f"Bearer {secret}"
            for app in ("main", "quoting"):
                answer = client.post("/api/ask", json={"question": question, "app": app}).json()
                sources = {one["source"] for one in answer["passages"] + answer["citations"]}
                assert ("printer.md" in sources) == (name == "b")
            chat = {"model": "app", "messages": [{"role": "user", "content": question}]}
            told = json.dumps(client.post("/v1/chat/completions", json=chat).json())
            assert ("printer.md" in told) == (name == "b")
            assert ("Ada Brown" in told) <= (name == "b")
            passages = client.get("/api/search", params={"q": "toner printer", "k": 50}).json()["passages"]
            assert ("printer.md" in {one["source"] for one in passages}) == (name == "b")
        del client.headers["Authorization"]
        assert client.get("/api/search", params={"q": "toner"}).status_code == 401
