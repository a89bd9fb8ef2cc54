"""What `gatewheel doctor` looks at, one finding a line, each with its cure. Changes nothing but measured figures."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gatewheel.kernel import config as configuration
from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.places import cache_dir
from gatewheel.loop.compose import Parts

LOW_DISK_GB = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line: state is ok, warning or wrong."""

    area: str
    state: str
    what: str
    cure: str = ""


def examine(start: Path, *, measure: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    """Look at the machine, then at the project that `start` lies in, if any."""
    yield from _machine()
    yield from _encoder()
    yield from _chat(measure, say)
    yield from _extras()
    yield from _project(start)


def _machine() -> Iterator[Finding]:
    from gatewheel.models.cores import available_cores

    what = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {available_cores()} cores"
    yield Finding(area="machine", state="ok", what=what)
    folder = cache_dir()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if not os.access(existing, os.W_OK):
        cure = "make it writable or set GATEWHEEL_CACHE"
        yield Finding(area="cache", state="wrong", what=f"{folder} cannot be written", cure=cure)
    elif free < LOW_DISK_GB:
        yield Finding(area="cache", state="warning", what=f"{folder} has {free:.1f} GB left", cure="free some space")
    else:
        yield Finding(area="cache", state="ok", what=f"{folder}, {free:.0f} GB free")
    with sqlite3.connect(":memory:") as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    if "ENABLE_FTS5" in options:
        yield Finding(area="sqlite", state="ok", what=f"SQLite {sqlite3.sqlite_version} with FTS5")
    else:
        cure = "use a Python whose SQLite has FTS5, or PostgreSQL through [store] url"
        yield Finding(area="sqlite", state="wrong", what=f"SQLite {sqlite3.sqlite_version} lacks FTS5", cure=cure)


def _encoder() -> Iterator[Finding]:
    from gatewheel.embeddings import openvino

    try:
        encoder = openvino.create(openvino.Settings())
        encoder.encode(["ready"])
    except GatewheelError as error:
        yield Finding(area="encoder", state="wrong", what=error.what, cure=error.cure)
    else:
        what = f"all-MiniLM-L6-v2, {encoder.dimensions} dimensions, {encoder.max_tokens} tokens at most"
        yield Finding(area="encoder", state="ok", what=what)


def _chat(measure: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    from gatewheel.models.measure import choose
    from gatewheel.models.weights import DEFAULT

    try:
        chosen, figures = choose(DEFAULT, on_progress=say, refresh=measure)
    except GatewheelError as error:
        yield Finding(area="model", state="wrong", what=error.what, cure=error.cure)
        return
    for engine in figures.values():
        if engine.error:
            yield Finding(area="model", state="warning", what=f"{engine.engine}: {engine.error}")
            continue
        speed = f"load {engine.load:.1f} s, reads {engine.prefill:.0f} and writes {engine.decode:.0f} tokens/s"
        mark = " (auto takes this one)" if engine.engine == chosen else ""
        yield Finding(area="model", state="ok", what=f"{DEFAULT} on {engine.engine}: {speed}{mark}")


def _extras() -> Iterator[Finding]:
    for extra, module, what in (
        ("train", "torch", "training and Hugging Face models"),
        ("postgresql", "psycopg", "PostgreSQL"),
        ("faiss", "faiss", "an approximate index for more than 100,000 passages"),
    ):
        if importlib.util.find_spec(module):
            yield Finding(area="extra", state="ok", what=f"{extra}: {what}")
        else:
            cure = f"pip install 'gatewheel[{extra}]'"
            yield Finding(area="extra", state="ok", what=f"{extra} is not installed ({what})", cure=cure)


def _project(start: Path) -> Iterator[Finding]:
    try:
        config = configuration.load(configuration.find(start))
    except GatewheelError as error:
        state = "warning" if "gatewheel init" in error.cure else "wrong"
        yield Finding(area="project", state=state, what=error.what, cure=error.cure)
        return
    yield Finding(area="project", state="ok", what=str(config.path))
    parts = Parts(config)
    try:
        for name in config.names("app"):
            parts.prompt(getattr(config.table("app", name).settings, "prompt", "answer"))
        documents, passages = parts.store.totals()
        stale = any(file.sha256 == "" and not file.refusals for file in parts.store.files().values())
    except GatewheelError as error:
        yield Finding(area="project", state="wrong", what=error.what, cure=error.cure)
        return
    if not documents:
        yield Finding(area="documents", state="warning", what="none yet", cure="gatewheel ingest")
    elif stale:
        what = f"{documents} documents, the last ingestion was interrupted"
        yield Finding(area="documents", state="warning", what=what, cure="gatewheel ingest goes on where it stopped")
    else:
        yield Finding(area="documents", state="ok", what=f"{documents} documents, {passages} passages")
    parts.close()
