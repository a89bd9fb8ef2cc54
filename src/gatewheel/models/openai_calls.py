"""Requests to an endpoint that can be ended at any moment, also while nothing comes: each on a connection of its own.

A blocking read hears nothing but its socket, so it waits in a thread, and whoever leaves has the socket shut.
The official client's blocking calls take half the processor time of its async ones, for which we asked at first.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Generator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import OpenAI

PAUSE = 0.5  # seconds without a chunk after which the caller is asked whether to go on
_END = object()


class Calls:
    """The requests of one client. `open` is False once it is closed."""

    def __init__(self, client: OpenAI) -> None:
        import httpx2

        self._client = client
        self._trusted = httpx2.create_ssl_context()  # reading the certificates takes longer than a request
        self._idle = _Idle()
        self._under_way: set[_Job] = set()
        self.open = True
        weakref.finalize(self, self._idle.close)

    @property
    def key(self) -> str:
        """The secret that is sent."""
        return self._client.api_key

    def chunks(self, body: dict[str, Any]) -> Generator[dict[str, Any] | None]:
        """The chunks of one completion, and None whenever none came for `PAUSE` seconds.

        Where `body` asks for no stream there is one chunk with all of it. Closing it ends the request. Raises what the
        client raises, CancelledError when `close` was called, and ValueError for what is no JSON.
        """
        job = _Job(body)
        self._under_way.add(job)
        try:
            self._refuse_when_closed()  # only now, so that whoever closes either is seen here or sees this one
            (self._idle.take() or _Wire(self._client, self._trusted, self._idle)).jobs.put(job)
            while (said := job.next()) is not _END:
                if isinstance(said, BaseException):
                    self._refuse_when_closed()
                    raise said
                if said is None:
                    self._refuse_when_closed()
                yield said
        except BaseException:
            job.end()
            raise
        finally:
            self._under_way.discard(job)

    def close(self) -> None:
        """End what is under way and let go of the connections."""
        self.open = False
        for job in list(self._under_way):
            job.end()
        self._idle.close()

    def _refuse_when_closed(self) -> None:
        if not self.open:
            raise CancelledError


class _Idle:
    """Connections that carry nothing."""

    def __init__(self) -> None:
        self._wires: list[_Wire] | None = []
        self._owner = os.getpid()
        self._turning = threading.Lock()

    def take(self) -> _Wire | None:
        """The one used last, which is the likeliest to be connected still."""
        with self._turning:
            if self._owner != os.getpid():  # a forked process inherits the objects, not their threads
                self._wires, self._owner = [], os.getpid()
            return self._wires.pop() if self._wires else None

    def put(self, wire: _Wire) -> bool:
        """Whether it is kept for another request."""
        with self._turning:
            if self._wires is None:
                return False
            self._wires.append(wire)
            return True

    def close(self) -> None:
        """Let their threads end."""
        with self._turning:
            wires, self._wires = self._wires or [], None
        for wire in wires:
            wire.jobs.put(None)


class _Wire:
    """A connection and its thread, which carries one request after the other."""

    def __init__(self, client: OpenAI, trusted: ssl.SSLContext, idle: _Idle) -> None:
        from openai import DefaultHttpxClient

        http = DefaultHttpxClient(verify=trusted, event_hooks={"request": [self._watch]})
        self._client = client.with_options(http_client=http)
        self._idle = idle
        self._job: _Job | None = None
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        threading.Thread(target=self._work, name="endpoint", daemon=True).start()

    def _work(self) -> None:
        connected: socket.socket | None = None
        while (job := self.jobs.get()) is not None:
            self._job, job.socket = job, connected
            last: Any = _END
            try:
                self._send(job)
            except BaseException as error:  # noqa: BLE001 - raised again by who asked
                last = error
            connected, self._job = job.socket, None
            # before the end is told, so that the next request finds it
            good = job.leave() and self._idle.put(self)
            job.said.put(last)
            if not good:
                break
            del job, last  # the next one may be long in coming
        self._client.close()

    def _send(self, job: _Job) -> None:
        import httpx2

        if not job.body.get("stream"):
            reply = self._client.post("/chat/completions", cast_to=httpx2.Response, body=job.body)
            job.said.put(_as_chunk(json.loads(reply.content)))
            return
        completions = self._client.chat.completions.with_streaming_response
        # the body goes around the client's own rewriting of it, which would take a third of the time of a request
        with completions.create(model=job.body["model"], messages=[], stream=True, extra_body=job.body) as response:
            for line in response.iter_lines():  # server-sent events: a field and its value
                if line.startswith("data:"):
                    said = line[5:].strip()
                    # what is read on is the end of the body, so that the connection serves again
                    job.said.put(_END if said == "[DONE]" else json.loads(said))

    def _watch(self, request: Any) -> None:
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """httpcore's own account of what it does, from which the socket is known before anything is sent."""
        job = self._job
        if job is None:
            return
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            job.socket = info["return_value"].get_extra_info("socket")
        if job.ended:
            raise _Ended


@dataclass(eq=False)
class _Job:
    """One request. `said` has its chunks, then its end or what went wrong."""

    body: dict[str, Any]
    said: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    socket: socket.socket | None = None
    ended: bool = False  # nobody listens any more
    _left: bool = False  # the connection may carry another request by now
    _turning: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> Any:
        """What comes next, or None when nothing came in time."""
        try:
            return self.said.get(timeout=PAUSE)
        except Empty:
            return None

    def leave(self) -> bool:
        """The connection is done with it; whether it is still good for another."""
        with self._turning:
            self._left = True
            return not self.ended

    def end(self) -> None:
        """Nobody listens: wake the thread that waits for the socket."""
        with self._turning:
            self.ended = True
            if self.socket is not None and not self._left:
                with suppress(OSError):
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # a TLS socket's own waits for its reader


class _Ended(BaseException):
    """Not an Exception, for the client would try again after one."""


def _as_chunk(whole: Any) -> Any:
    """A whole completion in the form of a stream's only chunk."""
    choices = whole.get("choices") if isinstance(whole, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(message := choice.pop("message", None), dict):
            calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
            choice["delta"] = message | {"tool_calls": [{**call, "index": at} for at, call in enumerate(calls)]}
    return whole
