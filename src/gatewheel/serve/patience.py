"""HTTP/1.1 with an end to its patience: a head must arrive in time (slow-loris), and what is no HTTP gets our error.

uvicorn knows a time limit between two requests, none for the bytes of one.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatewheel.serve import fault

SLICE = 8_192  # bytes
STALLED = 60.0  # seconds in which a client must take some of what waits for it


class PatientProtocol(H11Protocol):
    """Drops a connection whose request has no whole head `seconds` after it began, or whose answer is not read.

    Bodies are timed in limits.py.
    """

    def __init__(self, *, seconds: float, **parts: Any) -> None:
        super().__init__(**parts)
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The buffers are full, here and in the kernel."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is not h11.IDLE:
            super().data_received(data)
            return
        if self._timer is None:
            self._expect()
        # in slices, for h11 limits what is incomplete, and a large head may come whole
        for at in range(0, len(data), SLICE):
            if not self.transport.is_closing():
                super().data_received(data[at : at + SLICE])
        if self.conn.their_state is not h11.IDLE:
            self._arrived()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP, or its head is too large."""
        self._refuse(400, msg.lower().rstrip("."), code="invalid_http")

    def _expect(self) -> None:
        self._timer = self.loop.call_later(self._seconds, self._late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing() and self.conn.our_state is h11.IDLE:
            self._refuse(408, f"the request did not arrive within {self._seconds:g} s", code="timeout")

    def _refuse(self, status: int, message: str, *, code: str) -> None:
        content = json.dumps(fault.body(status, message, code=code)).encode()
        head = [("content-type", "application/json"), ("content-length", str(len(content))), ("connection", "close")]
        answer = h11.Response(status_code=status, headers=head, reason=b"")
        for event in (answer, h11.Data(data=content), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
