"""The events of `/api/`: a silent stream beats, and a run that is followed ends when the service does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from gatewheel.kernel import runs
from gatewheel.serve import events


def test_a_silent_stream_beats_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY", 0.02)

    async def slow() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.1)
        yield b"two"

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(events.Events(slow()).stream_response(send))
    bodies = [message["body"] for message in sent[1:]]
    assert bodies[0] == b"one"
    assert bodies[-2:] == [b"two", b""]
    assert set(bodies[1:-2]) == {events.HEARTBEAT}
    assert [message["more_body"] for message in sent[1:]] == [True] * (len(bodies) - 1) + [False]


def test_a_stream_that_speaks_does_not_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY", 5.0)
    sent: list[bytes] = []

    async def quick() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"one"
            await asyncio.sleep(0)

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asyncio.run(events.Events(quick()).stream_response(send))
    assert sent == [b"", *[b"one"] * 20, b""]


def test_an_error_in_a_stream_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("gone")

    async def send(_: Any) -> None: ...

    with pytest.raises(OSError, match="gone"):
        asyncio.run(events.Events(broken()).stream_response(send))


def test_who_follows_a_run_is_let_go_when_the_service_stops(serve: Any) -> None:
    served = serve()
    waiting = runs.create(served.project.parts.engine, "ingest", settings={"paths": [], "fields": {}}, config={})
    with httpx2.stream("GET", f"{served.base_url}/api/runs/{waiting}/events", timeout=60) as followed:
        lines = followed.iter_lines()
        assert next(lines) == "event: run"
        stopping = threading.Timer(0.1, served.service.closing.set)
        stopping.start()
        assert not [line for line in lines if line.startswith("event:")], "it ends, although the run has not"
        stopping.join()
    runs.call_off(served.project.parts.engine, waiting)
