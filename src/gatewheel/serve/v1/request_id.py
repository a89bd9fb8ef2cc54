"""Every response carries `x-request-id`, which OpenAI's clients show in their errors."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"


class RequestId:
    """ASGI middleware; leaves alone what already has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back with the header."""

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(HEADER, f"req_{secrets.token_hex(12)}")
            await send(message)

        await self._app(scope, receive, tagged if scope["type"] == "http" else send)
