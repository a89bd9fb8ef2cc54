"""What every request passes, as pure ASGI: limits of its body, and headers that every response carries.

Knows nothing about keys but where to ask. Streams go through untouched; both together cost 25 µs a request.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatewheel.kernel.settings import ServeSettings
from gatewheel.serve.fault import Fault, answer

LINGER = 4  # times the limit are read and thrown away, for many clients read no answer before they have sent all
SLOWEST = 64_000  # bytes a second; a body that comes slower than this after [serve] idle_seconds is dropped
SMALL = 64_000  # bytes; what is larger, or does not say, is taken from known clients only
UPLOADS = ("/api/documents", "/v1/files")
LAST = 3.0  # seconds in which a stranger's body is thrown away, so that most hear why
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
]
_ID = re.compile(rb"[\w.:-]{1,64}", re.ASCII)


class Headers:
    """Adds what a response does not say itself, and `x-request-id`: the client's own where it is a plain word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its response back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        mark = given if _ID.fullmatch(given) else b"req_" + secrets.token_hex(12).encode()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"x-request-id"]
                said = {name.lower() for name, _ in headers}
                headers += [pair for pair in HEADERS if pair[0] not in said]
                headers.append((b"x-request-id", mark))
                if message["status"] == 401:
                    headers.append((b"www-authenticate", b'Bearer realm="gatewheel"'))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, dressed)


async def _everybody(_: Scope) -> None:
    """Lets everybody in."""


class Bodies:
    """Refuses bodies that are too large, whether they say so or not, those that never end, and large ones of strangers.

    An upload may have `max_body_mb`, all else `max_json_mb`, for JSON takes many times its size once it is read.
    `admit` raises Fault for a request of somebody unknown, before a byte of a large body is kept.
    """

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, *, admit: Callable[[Scope], Awaitable[None]] = _everybody
    ) -> None:
        self._app = app
        self._settings = settings
        self._idle = settings.idle_seconds
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on while its body is within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, setting = self._limit(scope)
        too_large = Fault(
            413, f"the body is larger than {most} MB; send less, or raise [serve] {setting}", code="too_large"
        )
        most *= 1_000_000
        body = _Body(receive, most=most, idle=self._idle)
        length = _length(scope)
        if length is None or length > SMALL:
            try:
                await self._admit(scope)
            except Fault as fault:
                if not _waits(scope):
                    await body.throw_away(seconds=LAST)
                await _parting(fault)(scope, receive, send)
                return
        if length is not None and length > most:
            if length <= LINGER * most and not _waits(scope):
                await body.throw_away()
            await _parting(too_large)(scope, receive, send)
            return
        started = refused = False

        async def taken() -> Message:
            nonlocal refused
            fault = None
            try:
                message = await body.next()
            except TimeoutError:
                fault = Fault(408, "the body did not arrive in time; send it faster", code="timeout")
            else:
                if body.size > most:
                    await body.throw_away()
                    fault = too_large
            if fault is None:
                return message
            if not started and not refused:
                refused = True
                await _parting(fault)(scope, receive, send)
            # what it then answers is said to nobody
            return {"type": "http.disconnect"}

        async def sent(message: Message) -> None:
            nonlocal started
            if not refused:
                started = True
                await send(message)

        try:
            await self._app(scope, taken, sent)
        except ClientDisconnect:
            if not refused:
                raise

    def _limit(self, scope: Scope) -> tuple[int, str]:
        """Megabytes of this request's body, and the setting that says so."""
        whole, other = self._settings.max_body_mb, self._settings.max_json_mb
        form = _header(scope, b"content-type").startswith(b"multipart/form-data")
        upload = form and scope["path"].rstrip("/") in UPLOADS
        return (whole, "max_body_mb") if upload or whole < other else (other, "max_json_mb")


class _Body:
    """The body of one request as it arrives."""

    def __init__(self, receive: Receive, *, most: int, idle: float) -> None:
        self._receive = receive
        self._most = most
        self._idle = idle
        self._began = time.monotonic()
        self._whole = False
        self.size = 0

    async def next(self) -> Message:
        """What comes next. Raises TimeoutError when the body comes too slowly."""
        if self._whole:  # only that the client has left can come now
            return await self._receive()
        allowed = self._idle + self.size / SLOWEST
        async with asyncio.timeout(self._began + allowed - time.monotonic()):
            message = await self._receive()
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        self.size += len(message.get("body", b""))
        return message

    async def throw_away(self, *, seconds: float | None = None) -> None:
        """Read on, up to some times the limit, while it comes in time, and for so many seconds at most."""
        try:
            async with asyncio.timeout(seconds):
                while not self._whole and self.size <= LINGER * self._most:
                    await self.next()
        except TimeoutError:
            return


def _parting(fault: Fault) -> Response:
    """The answer, after which the connection ends: what is still to come of the body is nobody's."""
    response = answer(fault)
    response.headers["connection"] = "close"
    return response


def _length(scope: Scope) -> int | None:
    """Bytes of the body; None where it does not say."""
    if _header(scope, b"transfer-encoding"):
        return None
    said = _header(scope, b"content-length")
    return int(said) if said.isdigit() else 0


def _header(scope: Scope, wanted: bytes) -> bytes:
    found: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return found


def _waits(scope: Scope) -> bool:
    """Whether the client sends its body only when it is told to."""
    return any(name == b"expect" for name, _ in scope["headers"])
