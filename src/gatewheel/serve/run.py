"""Listens: a socket, uvicorn with limits on what a client may take its time for, signals, and the end."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from gatewheel.kernel.errors import UserError
from gatewheel.loop.project import Project
from gatewheel.ops import keys
from gatewheel.serve import app as application
from gatewheel.serve.patience import PatientProtocol
from gatewheel.serve.service import Service

HEAD = 64 * 1024  # bytes of a request's line and headers
KEEP_ALIVE = 5  # seconds between two requests of a connection
OTHERS = 200  # connections besides those in line: pages, searches, and who keeps one open; the next gets 503
AT_LAST = 30.0  # seconds; a run that is called off may take 15 of them to finish its transaction


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address, not yet listening. Raises UserError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError):
        raise UserError(f"'{host}' is no address", cure="write e.g. --host 127.0.0.1") from None
    bound = socket.socket(*found[:3])  # with its protocol, or asyncio sets no TCP_NODELAY: 40 ms for each answer
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(found[4])
    except OSError as error:
        bound.close()
        raise _told(error, host, port) from None
    return bound


def refuse_unguarded(project: Project, bound: socket.socket) -> None:
    """Raises UserError when others than this machine would be served without keys."""
    address = ipaddress.ip_address(bound.getsockname()[0].partition("%")[0])
    if not address.is_loopback and not keys.exist(project.parts.engine):
        raise UserError(
            f"without API keys only this machine is served, and {address} is open to others",
            cure="make a key with `gatewheel keys create`, or take --host 127.0.0.1",
        )


def url(bound: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    address, port = bound.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "localhost"
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def serve(
    project: Project, bound: socket.socket, *, started: Callable[[Service, str], None] = lambda _, __: None
) -> None:
    """Serve until SIGINT or SIGTERM; answers under way may finish for [serve] closing_seconds, then they are stopped.

    A second signal ends the process at once, and so does what has still not stopped `AT_LAST` seconds later.

    `started` is called in a thread once requests are taken.
    """
    settings = project.config.serve
    app = application.create(project)
    made = cast(Service, app.state.service)
    _log()
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(PatientProtocol, seconds=settings.idle_seconds)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=cast(int, settings.closing_seconds),  # asyncio takes fractions
        h11_max_incomplete_event_size=HEAD,
        limit_concurrency=settings.slots + settings.queue + OTHERS,
    )
    server = _Server(config, made, patience=settings.closing_seconds + AT_LAST)
    watching = threading.Thread(target=_tell, args=(server, partial(started, made, url(bound))), daemon=True)
    watching.start()
    threading.Thread(target=_settle, args=(made,), daemon=True).start()
    server.run(sockets=[bound])
    if made.hung.is_set():
        os._exit(0)  # the interpreter would wait for its thread


class _Server(uvicorn.Server):
    """uvicorn's, which tells the service when it is to stop and leaves the process's exit code alone."""

    def __init__(self, config: uvicorn.Config, service: Service, *, patience: float) -> None:
        super().__init__(config)
        self._service = service
        self._patience = patience

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (as signal hands it over)
        if self.should_exit:
            os._exit(128 + sig)  # threads that write answers would hold up any other end
        self._service.closing.set()
        self.should_exit = True
        threading.Thread(target=_end, args=(self._patience,), daemon=True).start()


def _end(seconds: float) -> None:
    """Ends this process after so many seconds. A thread inside an engine that hears nothing would hold it for ever."""
    threading.Event().wait(seconds)
    logging.getLogger("gatewheel.serve").warning("something does not end; the process is ended")
    os._exit(0)


def _tell(server: uvicorn.Server, started: Callable[[], None]) -> None:
    pause = threading.Event()
    while not server.started:
        if server.should_exit:
            return
        pause.wait(0.02)
    started()


def _settle(made: Service) -> None:
    """What is loaded stays; a full collection would go through all of it again, with every request waiting."""
    made.tried.wait()
    gc.collect()
    gc.freeze()


def _told(error: OSError, host: str, port: int) -> UserError:
    match error.errno:
        case errno.EADDRINUSE:
            cure = "stop what listens there, or choose another: gatewheel serve --port 0 takes a free one"
            return UserError(f"port {port} of {host} is taken", cure=cure)
        case errno.EACCES:
            return UserError(f"port {port} needs privileges", cure="choose one above 1023")
        case errno.EADDRNOTAVAIL:
            return UserError(f"{host} is no address of this machine", cure="write e.g. --host 127.0.0.1")
    return UserError(f"cannot listen at {host}:{port}: {error.strerror}", cure="choose another host or port")


def _log() -> None:
    """Warnings on stderr. Requests are not logged, so no question, key or path of a document is."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Not what a stop that was asked for does to requests under way."""
    kind = (record.exc_info or (None,))[0]
    return not (kind is not None and issubclass(kind, asyncio.CancelledError))
