"""What watches over a service asks: does it live, is it ready, how does it fare."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse, Response

from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.nouns import Caller
from gatewheel.serve.access import may
from gatewheel.serve.service import Service, service

router = APIRouter(tags=["service"])
DATABASE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Alive:
    """`/healthz`"""

    alive: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """`/readyz`: whether requests are answered now, and if not why."""

    ready: bool
    reasons: list[str]


@router.get("/healthz", operation_id="is_alive")
async def alive() -> Alive:
    """Whether the process lives. Asks for no key."""
    return Alive()


@router.get(
    "/readyz", operation_id="is_ready", responses={503: {"model": Ready, "description": "Not yet, or no more."}}
)
async def ready(at: Annotated[Service, Depends(service)]) -> Ready:
    """Whether the database answers and the models are loaded. Asks for no key."""
    reasons = []
    if at.closing.is_set():
        reasons.append("the service is stopping")
    elif not at.ready.is_set():
        failed = at.tried.is_set()
        reasons.append("the models could not be loaded; see the log" if failed else "the models are being loaded")
    if not await _database_answers(at):
        reasons.append("the database does not answer")
    found = Ready(ready=not reasons, reasons=reasons)
    # as a response of its own, since FastAPI takes the status from the route
    return found if found.ready else JSONResponse({"ready": False, "reasons": reasons}, 503)  # type: ignore[return-value]


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's text."}},
)
async def figures(
    request: Request, _: Annotated[Caller, Depends(may("operate"))], at: Annotated[Service, Depends(service)]
) -> Response:
    """Figures for Prometheus."""
    text, content_type = at.metrics.text(at.line, accept=request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type})


async def _database_answers(at: Service) -> bool:
    def ask() -> None:
        with at.project.parts.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    try:
        await asyncio.wait_for(at.quickly(ask), DATABASE_SECONDS)
    except (DBAPIError, GatewheelError, TimeoutError):
        return False
    return True
