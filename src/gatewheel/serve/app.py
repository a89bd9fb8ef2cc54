"""The ASGI application: one service made of routers. Knows nothing about what the endpoints do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from fastapi import FastAPI, Request

from gatewheel import __version__, studio
from gatewheel.kernel.nouns import Caller, Usage
from gatewheel.loop.project import Project
from gatewheel.ops import keys
from gatewheel.serve import access, api, fault, metrics, v1
from gatewheel.serve.line import Line

QUICK = 8  # threads for what needs no model: search, traces, documents


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every endpoint may use. `line` and `speakers` are for calls of a model, `quick` for all else that blocks."""

    project: Project
    line: Line
    speakers: ThreadPoolExecutor
    quick: ThreadPoolExecutor
    metrics: metrics.Metrics

    def account(self, caller: Caller, model: str, usage: Usage, *, abstained: bool = False) -> None:
        """What every answer leaves behind: figures, and what its key has spent. Blocks; call it in a thread."""
        self.metrics.answered(model, usage, abstained=abstained)
        keys.spend(self.project.parts.engine, caller.key, usage)


def service(request: Request) -> Service:
    """The service that a request came to: `Depends(service)`."""
    return cast(Service, request.app.state.service)


def create(project: Project) -> FastAPI:
    """The application of a project."""
    settings = project.config.serve
    made = Service(
        project=project,
        line=Line(slots=settings.slots, queue=settings.queue),
        speakers=ThreadPoolExecutor(settings.slots, thread_name_prefix="speaker"),
        quick=ThreadPoolExecutor(QUICK, thread_name_prefix="quick"),
        metrics=metrics.Metrics(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        made.speakers.shutdown(wait=True)
        made.quick.shutdown(wait=True)

    app = FastAPI(title="Gatewheel", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = made
    fault.handle(app)
    access.protect(app)
    for router in (v1.router, api.router, metrics.router):
        app.include_router(router)
    studio.mount(app)
    return app
