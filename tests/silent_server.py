"""An endpoint that takes a request and then says nothing, or nothing more."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}],
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: %b\n\n" % json.dumps(CHUNK).encode()


@contextmanager
def silent(*, begun: bool) -> Iterator[tuple[str, threading.Event]]:
    """Its base URL, and an event for when a client has left. `begun`: it sends one chunk."""
    gone = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            if begun:
                connection.sendall(HEAD)
            while connection.recv(65_536):
                pass
        gone.set()

    def listen() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1", gone
