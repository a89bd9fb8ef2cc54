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
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.guard import sandbox
from gatewheel.kernel import catalog
from gatewheel.kernel import config as configuration
from gatewheel.kernel.config import Table
from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.places import cache_dir
from gatewheel.kernel.store.database import explain
from gatewheel.loop import soundness, tainting
from gatewheel.loop.compose import Parts
from gatewheel.ops import releases

LOW_DISK_GB = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line: state is ok, warning, wrong, or absent for what is optional and not here."""

    area: str
    state: str
    what: str
    cure: str = ""


def examine(start: Path, *, measure: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    """Look at the machine, then at the parts of the project that `start` lies in; without one, at the defaults."""
    yield from _machine()
    yield _sandbox()
    trouble = None
    try:
        config = configuration.load(configuration.find(start))
    except GatewheelError as error:
        trouble, config = error, configuration.validate({}, start / configuration.CONFIG_FILE)
    parts = Parts(config, say=say)
    yield from _encoder(parts)
    for name in config.names("model"):
        yield from _model(config.table("model", name), measure, say)
    yield from _extras()
    if trouble:
        state = "warning" if "gatewheel init" in trouble.cure else "wrong"
        yield Finding(area="project", state=state, what=trouble.what, cure=trouble.cure)
        return
    yield Finding(area="project", state="ok", what=str(config.path))
    try:
        yield from _project(parts)
    finally:
        parts.close()


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


def _sandbox() -> Finding:
    try:
        found = sandbox.walls()
    except GatewheelError as error:  # only code that a model wrote needs it
        return Finding(area="sandbox", state="absent", what=error.what, cure=error.cure)
    missing = [wall.name for wall in found if not wall.stands]
    what = f"{len(found) - len(missing)} walls around code that a model wrote"
    if not missing:
        return Finding(area="sandbox", state="ok", what=what)
    what = f"{what}; not {', '.join(missing)}"
    return Finding(area="sandbox", state="warning", what=what, cure="`gatewheel guard sandbox` says what raises them")


def _encoder(parts: Parts) -> Iterator[Finding]:
    table = parts.config.table("encoder", "main")
    settings: Any = table.settings
    try:
        if variable := getattr(settings, "key_env", ""):  # an endpoint, of which nothing is asked here
            yield _endpoint("encoder", f"encoder.main: {settings.model} at {settings.base_url}", variable)
            return
        encoder = parts.encoder
        encoder.encode(["ready"])
    except GatewheelError as error:
        yield Finding(area="encoder", state="wrong", what=error.what, cure=error.cure)
    else:
        named = getattr(settings, "weights", table.use) or "all-MiniLM-L6-v2"
        what = f"{named}, {encoder.dimensions} dimensions, {encoder.max_tokens} tokens at most"
        yield Finding(area="encoder", state="ok", what=what)


def _endpoint(area: str, what: str, variable: str) -> Finding:
    if os.environ.get(variable):
        return Finding(area=area, state="ok", what=f"{what}, key in {variable}")
    cure = f"export {variable}=…, unless the endpoint asks for none"
    return Finding(area=area, state="warning", what=f"{what}: the variable {variable} is empty", cure=cure)


def _model(table: Table, measure: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    from gatewheel.models import weights

    settings: Any = table.settings
    label = f"model.{table.name}"
    try:
        if table.use == "auto":
            yield from _engines(label, settings, measure, say)
        elif table.use == "openai":
            catalog.load("model", table.use).create(settings).close()  # sends nothing, and knows who needs a key
            yield Finding(area="model", state="ok", what=f"{label}: {settings.model} at {settings.base_url}")
        elif named := getattr(settings, "weights", ""):
            folder = Path(named).expanduser()
            path = folder if folder.is_dir() else weights.find(named)
            yield Finding(area="model", state="ok", what=f"{label}: {path.name} on {table.use}")
    except GatewheelError as error:
        yield Finding(area="model", state="wrong", what=f"{label}: {error.what}", cure=error.cure)


def _engines(label: str, settings: Any, measure: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    from gatewheel.models.measure import ENGINES, choose

    chosen, figures = choose(settings.weights, threads=settings.threads, on_progress=say, refresh=measure)
    for engine in figures.values():
        if engine.error:
            cure = "`gatewheel doctor --measure` tries it again"
            cure = cure if engine.version else f"pip install {ENGINES[engine.engine]}"
            yield Finding(area="model", state="warning", what=f"{label}: {engine.engine}: {engine.error}", cure=cure)
            continue
        speed = f"load {engine.load:.1f} s, reads {engine.prefill:.0f} and writes {engine.decode:.0f} tokens/s"
        mark = " (auto takes this one)" if engine.engine == chosen else ""
        what = f"{label}: {settings.weights} on {engine.engine}: {speed}{mark}"
        yield Finding(area="model", state="ok", what=what)


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
            yield Finding(area="extra", state="absent", what=f"{extra} is not installed ({what})", cure=cure)


def _project(parts: Parts) -> Iterator[Finding]:
    try:
        soundness.check(parts)
        damage = _damage(parts)
        documents, passages = parts.store.totals()
        stale = any(file.sha256 == "" and not file.refusals for file in parts.store.files().values())
        outdated = soundness.outdated(parts)
        history, tainted = releases.verify(parts.engine), tainting.served(parts.engine)
    except (GatewheelError, DBAPIError) as error:
        told = error if isinstance(error, GatewheelError) else explain(error)
        yield Finding(area="project", state="wrong", what=told.what, cure=told.cure)
        return
    if damage:
        cure = "move .gatewheel away and run `gatewheel ingest`; documents are read anew, traces are lost"
        yield Finding(area="store", state="wrong", what=f"the store is damaged: {damage}", cure=cure)
    if history.faults:
        cure = "restore the database from a backup; `gatewheel release verify` tells more"
        yield Finding(area="releases", state="wrong", what=history.faults[0], cure=cure)
    for one in tainted:
        why = f"which learned of what was forgotten: {tainting.told(one.reasons)}"
        what = f"[app.{one.app}] answers by {one.variant[:12]}, {why}"
        cure = f"gatewheel release rollback --app {one.app}, or release another"
        yield Finding(area="releases", state="wrong", what=what, cure=cure)
    if outdated:
        yield Finding(area="documents", state="warning", what=outdated.what, cure=outdated.cure)
    if not documents:
        yield Finding(area="documents", state="warning", what="none yet", cure="gatewheel ingest")
    elif stale:
        what = f"{documents} documents, the last ingestion was interrupted"
        yield Finding(area="documents", state="warning", what=what, cure="gatewheel ingest goes on where it stopped")
    else:
        yield Finding(area="documents", state="ok", what=f"{documents} documents, {passages} passages")


def _damage(parts: Parts) -> str:
    """The first fault that SQLite finds in its own pages, or nothing."""
    if parts.engine.dialect.name != "sqlite":
        return ""
    with parts.engine.connect() as connection:
        found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if found == "ok" else found
