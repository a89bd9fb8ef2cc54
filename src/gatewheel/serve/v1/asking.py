"""Asks for something to be written: whole, or as it is written. What it took is accounted for either way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fastapi import Request

from gatewheel.kernel.nouns import Caller
from gatewheel.serve import flow
from gatewheel.serve.service import Service
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1.writing import Asked, Written, write

Then = Callable[[list[Written]], object]
"""What is still to be done in the thread when everything is written."""


async def ask(
    at: Service, request: Request, caller: Caller, asked: Asked, *, then: Then | None = None
) -> list[Written]:
    """Every choice. Raises Fault, GatewheelError, Busy, Gone."""
    return await flow.outcome(at, request, _call(at, caller, replace(asked, whole=True), then))


async def asking(
    at: Service, request: Request, caller: Caller, asked: Asked, *, then: Then | None = None
) -> flow.Stream:
    """Pieces and choices as they are written. Raises as `ask` does, until the first is there."""
    return await flow.stream(at, request, _call(at, caller, asked, then))


def _call(at: Service, caller: Caller, asked: Asked, then: Then | None) -> flow.Call[list[Written]]:
    project = at.project.seen_by(caller)

    def call(say: Say) -> list[Written]:
        def hear(piece: object) -> bool:
            if isinstance(piece, Written):
                account(piece)
            return say(piece)

        written = write(project, asked, say=hear)
        if then is not None:
            then(written)
        return written

    def account(one: Written) -> None:
        abstained = one.answer is not None and one.answer.abstained
        flow.account(at, lambda: at.account(caller, asked.named.name, one.usage, abstained=abstained))

    return call
