"""Who sees every document: a dependency for what repeats them all, `Depends(whole(may("operate"), "why"))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from gatewheel.kernel.nouns import Caller
from gatewheel.ops import keys
from gatewheel.serve.fault import Fault


def whole(who: Callable[[Request], Awaitable[Caller]], why: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets through whom `who` lets through and who sees every document. Raises Fault 403."""

    async def caller(request: Request) -> Caller:
        found = await who(request)
        if found.groups is not None:
            message = f"this needs a key of the group '{keys.EVERY}', for {why}"
            raise Fault(403, message, code="insufficient_groups")
        return found

    return caller
