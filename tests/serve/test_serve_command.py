"""`gatewheel serve`: how it starts, whom it refuses, how patient it is, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from awaiting import eventually
from gatewheel.loop.serving import open_for_serving
from silent_server import silent
from stopping import GATEWHEEL, called, told

QUESTION = "How many litres does the kettle hold?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    gw.init(folder).close()
    (folder / "kettle.md").write_text("# Kettle\n\nThe kettle holds 1.7 litres. It was bought by Ines in May.\n")
    with (folder / "gatewheel.toml").open("a") as file:
        file.write(
            '\n[app.quoting]\nuse = "answer"\nmode = "quote"\n[app.brief]\nuse = "answer"\nmax_tokens = 12\n'
            "[serve]\nport = 0\nidle_seconds = 1.0\nclosing_seconds = 200\n"
        )
    with gw.open(folder) as project:
        project.ingest()
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    words = [*GATEWHEEL, "-C", str(folder), "serve", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["pid"] == process.pid
            yield process, told["url"]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[str]:
    with serving(home) as (_, url):
        yield url


def refused(home: Path, *words: str) -> str:
    code, _, err = told(home, *words)
    assert code == 1, err
    assert len(err.strip().splitlines()) == 1, err
    return err


def raw(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def rest(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def test_others_are_not_served_without_keys(home: Path) -> None:
    words = [*GATEWHEEL, "-C", str(home), "serve", "--host", "0.0.0.0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "gatewheel keys create" in done.stderr


def test_a_taken_port_is_told_with_its_cure(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "--port 0" in refused(home, "serve", "--port", port)
    assert "address" in refused(home, "serve", "--host", "no such host")


def test_the_demo_leaves_another_project_alone(home: Path) -> None:
    assert "empty folder" in refused(home, "serve", "--demo")


def test_it_answers_and_says_nothing_of_itself(running: str) -> None:
    answer = httpx2.post(f"{running}/api/ask", json={"question": QUESTION, "app": "quoting"}, timeout=60)
    assert "1.7" in answer.json()["answer"]
    assert "server" not in answer.headers


def test_what_another_process_ingests_is_found(running: str, home: Path) -> None:
    def sources() -> list[str]:
        found = httpx2.get(f"{running}/api/search", params={"q": "umbrella"}, timeout=60).json()["passages"]
        return [passage["source"] for passage in found]

    assert "umbrella.md" not in sources()
    (home / "umbrella.md").write_text("# Umbrella\n\nThe umbrella stands in the hall.\n")
    subprocess.run([*GATEWHEEL, "-C", str(home), "ingest"], check=True, capture_output=True, timeout=60)
    assert sources()[0] == "umbrella.md"


def test_who_sends_a_byte_a_moment_is_dropped(running: str) -> None:
    slow = b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"y" * 1000
    sent = 0
    with raw(running) as connection, contextlib.suppress(OSError):
        for byte in slow:
            connection.sendall(bytes([byte]))
            sent += 1
            time.sleep(0.05)
    assert sent < len(slow), "it listened to the end"
    assert httpx2.get(f"{running}/api/apps", timeout=60).status_code == 200


def test_who_sends_nothing_is_told_and_dropped(running: str) -> None:
    heads = (
        b"",
        b"GET /api/apps HTTP/1.1\r\n",
        b"POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
    )
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(raw(running)) for _ in heads]
        for connection, head in zip(connections, heads, strict=True):
            connection.sendall(head)
        answers = [rest(connection) for connection in connections]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    ids=["tls", "large", "smuggled"],
)
def test_what_is_no_http_is_refused_in_our_shape(running: str, sent: bytes) -> None:
    with raw(running) as connection:
        connection.sendall(sent)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


def test_a_connection_is_used_for_several_requests(running: str) -> None:
    connection = http.client.HTTPConnection(running.removeprefix("http://"), timeout=60)
    used = set()
    for _ in range(3):
        connection.request("GET", "/api/apps")
        assert json.load(connection.getresponse())["apps"]
        used.add(connection.sock.getsockname())
        time.sleep(0.4)
    assert len(used) == 1
    connection.close()


def test_a_stop_finishes_the_stream_under_way(home: Path) -> None:
    with serving(home) as (process, url):
        said = {"question": QUESTION, "app": "brief", "stream": True}
        with httpx2.stream("POST", f"{url}/api/ask", json=said, timeout=120) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: passages"
            process.send_signal(signal.SIGTERM)
            names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        assert names[-1] == "answer"
        assert process.wait(timeout=60) == 0
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)


@contextmanager
def held_open(folder: Path, *, closing: int) -> Iterator[tuple[subprocess.Popen[str], str, Any]]:
    """A service with a stream of a model that fell silent after one word."""
    with silent(begun=True) as (model, gone):
        with gw.init(folder) as project, project.config.path.open("a") as file:
            file.write(
                f'\n[model.silent]\nuse = "openai"\nmodel = "m"\nbase_url = "{model}"\ntimeout = 600.0\n'
                f"[serve]\nport = 0\nclosing_seconds = {closing}\n"
            )
        said = {"model": "silent", "messages": [{"role": "user", "content": "Count."}], "stream": True}
        with (
            serving(folder) as (process, url),
            httpx2.stream("POST", f"{url}/v1/chat/completions", json=said, timeout=120) as stream,
        ):
            assert any("One" in line for line in stream.iter_lines())
            yield process, url, gone


def taken(url: str) -> bool:
    with contextlib.suppress(OSError), raw(url):
        return True
    return False


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with held_open(tmp_path, closing=600) as (process, url, _):
        process.send_signal(signal.SIGINT)
        eventually(lambda: not taken(url))
        assert process.poll() is None, "it waits for the stream"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def test_a_stop_waits_for_a_silent_model_no_longer_than_it_says(tmp_path: Path) -> None:
    with held_open(tmp_path, closing=1) as (process, _, gone):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert gone.wait(30)


def test_what_hears_no_stop_is_ended_with_the_process() -> None:
    stuck = (
        "import threading; from gatewheel.serve import run\n"
        "threading.Thread(target=run._end, args=(0.2,), daemon=True).start(); threading.Event().wait()"
    )
    assert subprocess.run([sys.executable, "-c", stuck], timeout=60, check=False).returncode == 0


def test_a_run_under_way_is_called_off_at_the_end_and_can_be_resumed(home: Path) -> None:
    for number in range(100):
        text = "\n\n".join(f"# Part {part}\n\nFact {number * part} is of little use." for part in range(40))
        (home / f"many{number}.md").write_text(text)
    with serving(home) as (process, url):
        run = httpx2.post(f"{url}/api/ingest", json={}, timeout=60).json()["run"]
        eventually(lambda: httpx2.get(f"{url}/api/runs/{run}", timeout=60).json()["state"] == "running")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    for number in range(100):
        (home / f"many{number}.md").unlink()
    shown = called(home, "runs", "show", run)
    assert shown["state"] in ("interrupted", "done")
    assert told(home, "runs", "resume", run)[0] == (0 if shown["state"] == "interrupted" else 1)


def test_auto_becomes_the_engine_that_is_shared_and_what_is_pinned_stays(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    with (tmp_path / "gatewheel.toml").open("a") as file:
        file.write(
            '\n[serve]\nslots = 3\n[model.one]\nuse = "llama.cpp"\nparallel = 1\nprompt_cache = false\n'
            '[model.two]\nuse = "llama.cpp"\nthreads = 1\n[model.far]\nuse = "openai"\nmodel = "m"\nbase_url = "http://localhost:9/v1"\n'
            '[model.here]\nuse = "openvino"\n'
        )
    with gw.open(tmp_path) as project, open_for_serving(project) as served:
        tables = {name: served.config.table("model", name) for name in served.config.names("model")}
        settings: dict[str, Any] = {name: table.settings for name, table in tables.items()}
        uses = {name: table.use for name, table in tables.items()}
        assert uses == dict.fromkeys(("chat", "one", "two"), "llama.cpp") | {"far": "openai", "here": "openvino"}
        assert (settings["chat"].parallel, settings["one"].parallel, settings["two"].parallel) == (3, 1, 3)
        assert settings["two"].threads == 1
        assert [settings[name].prompt_cache for name in ("chat", "one", "two")] == [True, False, True]
        assert settings["far"] == project.config.table("model", "far").settings
