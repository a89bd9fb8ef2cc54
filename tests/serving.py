"""A real service: uvicorn in a thread on a free port, a project of three documents, the embedded model."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn

import gatewheel as gw
from awaiting import eventually
from gatewheel.loop.project import Project
from gatewheel.serve import app as application
from gatewheel.serve.service import Service

DOCUMENTS = {
    "kettle.md": "# Kettle\n\nThe kettle of the office holds 1.7 litres. It is descaled every second Monday.\n\n"
    "The kettle stands in the kitchen on the third floor. Its guarantee ends in March 2031.\n",
    "printer.md": "# Printer\n\nThe printer on the second floor prints in colour. Ada Brown orders its toner.\n\n"
    "A jam is cleared by opening the lid at the back of the printer.\n",
    "holiday.md": "# Holiday\n\nEvery employee has 28 days of holiday a year. It is asked for in the staff portal.\n\n"
    "Up to five days may be carried into the next year until the end of March.\n",
}
TOML = """
[project]
name = "office"

[sources]
exclude = ["prompts/", "suites/", "gatewheel.toml"]

[model.chat]
use = "llama.cpp"
threads = 1
{model}

[app.main]
use = "answer"

[app.quoting]
use = "answer"
mode = "quote"

[serve]
port = 0
{serve}
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running service. `base_url` has no path; OpenAI's clients want `base_url + "/v1"`."""

    base_url: str
    project: Project
    service: Service


def make_project(folder: Path, *, serve: str = "", model: str = "", more: str = "") -> Project:
    """An ingested project; `serve`, `model` and `more` are lines of its file."""
    project = gw.init(folder)
    project.close()
    if "parallel" not in model:
        model = f"parallel = 4\n{model}"
    (folder / "gatewheel.toml").write_text(TOML.format(serve=serve, model=model) + more, encoding="utf-8")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    project = gw.open(folder)
    project.ingest()
    return project


@contextmanager
def running(project: Project) -> Iterator[Served]:
    """The service of a project, listening."""
    app = application.create(project)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    # with its protocol: without, asyncio sets no TCP_NODELAY, and every answer waits 40 ms for an ACK
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    eventually(lambda: server.started, seconds=60)
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Served(base_url=url, project=project, service=cast(Any, app.state.service))
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()
        project.close()
