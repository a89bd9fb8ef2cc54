"""A small HTTP server on a free port of loopback, which answers by a function for as long as a test needs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], bytes]
"""The status, headers but for the length, and the body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a client sent. Names of headers have no case."""

    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body as JSON; of one without a body an empty object."""
        return json.loads(self.body or b"{}")


@contextmanager
def listening(answer: Callable[[Request], Reply | None], *, gets: bool = False) -> Iterator[str]:
    """Its address, such as http://127.0.0.1:1234. It takes POST, and GET where it `gets`.

    Where `answer` gives None the connection is closed without a word.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = answer(Request(path=self.path, headers=self.headers, body=body))
            if reply is None:
                return
            status, headers, said = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            return self.do_POST() if gets else self.send_error(501)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)  # a shutdown waits for its poll
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_json(status: int, said: Mapping[str, Any]) -> Reply:
    """A reply that is JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(said).encode()
