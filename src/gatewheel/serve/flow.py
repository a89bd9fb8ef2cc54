"""From a request to a thread and back: a place in line, the call, its stream, and the end when the client leaves.

Knows nothing about what is asked or answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatewheel.kernel.errors import GatewheelError
from gatewheel.serve import events, fault
from gatewheel.serve.line import Gone, Place
from gatewheel.serve.service import Service
from gatewheel.serve.speaking import Say, Speaking

log = logging.getLogger("gatewheel.serve")
Result = TypeVar("Result")
Event = TypeVar("Event")
Call = Callable[[Say], Result]
DONE = b"data: [DONE]\n\n"
_END = object()


class Leaving:
    """Awaiting it ends when the client of a request whose body was read has gone."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __await__(self) -> Generator[Any, None, None]:
        return self._watch().__await__()

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def outcome(service: Service, request: Request, call: Call[Result]) -> Result:
    """What a call returns that streams nothing. Raises what it raises, Busy, and Gone when the client leaves first."""
    place = await service.line.take(gone=Leaving(request))
    stopped = threading.Event()

    def heard(_: object) -> bool:
        return stopped.is_set() or service.stopping.is_set()

    work = asyncio.ensure_future(
        asyncio.get_running_loop().run_in_executor(service.speakers, _holding(place, call), heard)
    )
    left = asyncio.ensure_future(Leaving(request))
    either: set[asyncio.Future[Any]] = {work, left}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        stopped.set()
    if not work.done():
        raise Gone
    return _unwrap(work.result())


class Stream:
    """What a call says, from its first word on, which may still be awaited."""

    def __init__(self, speaking: Speaking[Any], pieces: AsyncIterator[Any], first: asyncio.Future[Any]) -> None:
        self.speaking = speaking
        self._pieces = pieces
        self._first = first

    async def __aiter__(self) -> AsyncIterator[Any]:
        if (word := await self._first) is not _END:
            yield word
            async for piece in self._pieces:
                if piece is not None:
                    yield piece

    async def result(self) -> Any:
        """What the call returned. Raises what it raised."""
        return _unwrap(await self.speaking.result())


async def stream(service: Service, request: Request, call: Call[Any]) -> Stream:
    """Start a call that streams and wait for its first word; None is no word. Raises as `outcome` does.

    Until then an error is a status. After `events.EVERY` seconds the stream begins without, to be kept alive.
    """
    place = await service.line.take(gone=Leaving(request))
    speaking = Speaking(_holding(place, call), pool=service.speakers, ended=service.stopping)
    pieces = aiter(speaking)
    word = asyncio.ensure_future(_word(pieces))
    left = asyncio.ensure_future(Leaving(request))
    either: set[asyncio.Future[Any]] = {word, left}
    try:
        await asyncio.wait(either, timeout=events.EVERY, return_when=asyncio.FIRST_COMPLETED)
        left_first = left.done() and not word.done()
    except asyncio.CancelledError:
        speaking.stop()
        raise
    finally:
        left.cancel()
    if left_first:
        speaking.stop()
        word.cancel()
        raise Gone
    started = Stream(speaking, pieces, word)
    if word.done() and word.result() is _END:
        await started.result()
    return started


class EventStream(events.Events):
    """The events of a call. When the client goes, the call is stopped."""

    def __init__(self, told: AsyncIterator[bytes], *, source: Stream) -> None:
        super().__init__(told)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with suppress(ClientDisconnect):
                await super().__call__(scope, receive, send)
        finally:
            self._source.speaking.stop()


def data(content: Any, *, event: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n".encode() if event else b""
    return b"%bdata: %b\n\n" % (head, _json(content))


async def guarded(told: AsyncIterator[Event], *, failure: Callable[[Exception], Event]) -> AsyncIterator[Event]:
    """The events of a stream; since its status is sent already, an error becomes its last one."""
    try:
        async for event in told:
            yield event
    except Exception as error:  # noqa: BLE001 - a door
        yield failure(error)


async def until_done(told: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events of a stream, with OpenAI's end mark."""
    async for event in guarded(told, failure=lambda error: data(error_body(error))):
        yield event
    yield DONE


def error_body(error: BaseException) -> dict[str, Any]:
    """An error as an event of a stream that has begun."""
    known = fault.of(error)
    return fault.body(known.status, known.message, code=known.code, param=known.param)


def reply(content: Any, *, trace: str | None = None) -> Response:
    """A JSON response, with its trace in a header."""
    headers = {"X-Gatewheel-Trace": trace} if trace else None
    return Response(_json(content), media_type="application/json", headers=headers)


def _json(content: Any) -> bytes:
    # a schema that a client sent may hold half a surrogate pair
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def account(service: Service, call: Callable[[], None]) -> None:
    """Leave what an answer leaves behind, without letting the client wait for it."""

    def work() -> None:
        try:
            call()
        except GatewheelError as error:
            log.warning("an answer was not accounted for: %s", error)
        except Exception:
            log.exception("an answer was not accounted for")

    service.quick.submit(work)


async def _word(pieces: AsyncIterator[Any]) -> Any:
    async for piece in pieces:
        if piece is not None:
            return piece
    return _END


def _holding(place: Place, call: Call[Result]) -> Callable[[Say], Result | Exception]:
    """The call, which gives its place back when its thread has ended and hands its error over as a value.

    As a value, because nobody asks for it when the client has gone.
    """
    loop = asyncio.get_running_loop()

    def work(say: Say) -> Result | Exception:
        try:
            return call(say)
        except Exception as error:  # noqa: BLE001 - raised again by _unwrap
            return error
        finally:
            loop.call_soon_threadsafe(place.give_back)

    return work


def _unwrap(value: Result | Exception) -> Result:
    if isinstance(value, Exception):
        raise value
    return value
