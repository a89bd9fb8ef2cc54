"""The ASGI application: one service made of routers. Knows nothing about what the endpoints do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from gatewheel import __version__, studio
from gatewheel.loop import taking_up
from gatewheel.loop.project import Project
from gatewheel.loop.running import Background
from gatewheel.loop.tidying import keep_tidy
from gatewheel.serve import access, api, fault, login, metrics, openapi, probes, v1, warming
from gatewheel.serve.line import Line
from gatewheel.serve.service import LAST_WORDS, Service, service

__all__ = ["Service", "create", "service"]
QUICK = 8  # threads for what needs no model: search, traces, documents


def create(project: Project) -> FastAPI:
    """The application of a project, which follows its releases.

    What answers slowly the first time is loaded in a thread as it starts. Raises ProjectError for a release that cannot
    be made again.
    """
    settings = project.config.serve
    _ = project.parts.engine  # opened here, for threads would each open their own; an unusable store ends the start
    project = project.following()
    made = Service(
        project=project,
        line=Line(slots=settings.slots, queue=settings.queue),
        speakers=ThreadPoolExecutor(settings.slots, thread_name_prefix="speaker"),
        quick=ThreadPoolExecutor(QUICK, thread_name_prefix="quick"),
        metrics=metrics.Metrics(),
        background=Background(project),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = threading.Thread(target=warming.warm, args=(made,), name="warming", daemon=True)
        loading.start()
        tidying = threading.Thread(target=keep_tidy, args=(project.parts, made.closing), name="tidying", daemon=True)
        tidying.start()
        following = threading.Thread(target=warming.follow, args=(made,), name="following", daemon=True)
        following.start()
        jobs = taking_up.left(project.parts.engine)  # before a client can ask for others
        go_on = partial(taking_up.go_on, made.background, project, jobs, closing=made.closing)
        resuming = threading.Thread(target=go_on, name="resuming", daemon=True)
        resuming.start()
        yield
        made.closing.set()
        # in a thread, since calls that were told to stop hand their last words to this loop
        await asyncio.to_thread(made.close)
        for thread in (loading, tidying, following, resuming):
            thread.join(LAST_WORDS)

    app = FastAPI(title="Gatewheel", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = made
    fault.handle(app)
    access.protect(app)
    app.add_middleware(metrics.Counted, metrics=made.metrics)  # the last one added is the first that is passed
    for router in (v1.router, v1.beside, api.router, login.router, probes.router):
        app.include_router(router)
    studio.mount(app)
    openapi.describe(app)
    return app
