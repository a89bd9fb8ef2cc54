"""The events of `/api/`: a silent stream beats, and a run that is followed ends when the service does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from gatewheel.kernel import runs
from gatewheel.serve import heartbeat


def test_a_silent_stream_beats_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.02)

    async def slow() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.1)
        yield b"two"

    async def heard() -> list[bytes]:
        return [event async for event in heartbeat.beating(slow())]

    found = asyncio.run(heard())
    assert [event for event in found if event != heartbeat.HEARTBEAT] == [b"one", b"two"]
    assert heartbeat.HEARTBEAT in found


def test_an_error_in_a_stream_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("gone")

    async def heard() -> None:
        async for _ in heartbeat.beating(broken()):
            pass

    with pytest.raises(OSError, match="gone"):
        asyncio.run(heard())


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
