"""Open a project's database: SQLite in WAL mode, or PostgreSQL by URL, at the newest migration."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError, OperationalError

from gatewheel.kernel.errors import MissingPart, ProjectError

HEAD = "0008"
URL_VARIABLE = "GATEWHEEL_STORE_URL"
# what a database says when it cannot go on (sqlite.org/rescode.html, PostgreSQL's class 53) → what helps
CURES = {
    "locked": "another process is writing; try again when it is done",
    "full": "free some space on the disk of the store",
    "no space": "free some space on the disk of the store",
    "readonly": "make the store and its folder writable",
    "read-only": "make the store and its folder writable",
    "malformed": "move the file away and run `gatewheel ingest` again; documents are read anew",
    "not a database": "move the file away and run `gatewheel ingest` again; documents are read anew",
    "connection": "check that the server of [store] url runs",
}


def open_database(state: Path, url: str = "") -> Engine:
    """Connect, and migrate when needed.

    Raises ProjectError when the database cannot be opened or is newer than this version, MissingPart without a driver.
    """
    url = os.environ.get(URL_VARIABLE) or url
    parsed = _parsed(url) if url else _own(state)
    engine = _engine(parsed)
    try:
        with engine.connect() as connection:
            version = _version(connection)
        if version != HEAD:
            _migrate(engine, version)
    except ProjectError:
        engine.dispose()
        raise
    except DatabaseError as error:
        engine.dispose()
        raise _told(error, parsed) from None
    return engine


def explain(error: DBAPIError) -> ProjectError:
    """A fault of the database at work, such as a full disk or a lost server, as the user may mend it."""
    reason = _reason(error)
    cure = next((cure for sign, cure in CURES.items() if sign in reason.lower()), "see `gatewheel doctor`")
    return ProjectError(f"the store cannot be used: {reason}", cure=cure)


def _reason(error: DBAPIError) -> str:
    return (str(error.orig).splitlines() or ["no reason given"])[0]


def _own(state: Path) -> URL:
    try:
        # it holds questions and answers; who shares it says so by its mode, which then stays
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectError(
            f"{state} cannot be made: {error.strerror}", cure="check the permissions of the project's folder"
        ) from None
    return URL.create("sqlite", database=str(state / "gatewheel.db"))  # as a text, a ? in the path would end it


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _no_url() from None
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _no_url() -> ProjectError:
    return ProjectError(
        "[store] url is not a database URL", cure="write e.g. postgresql://user@host/name, or leave it empty"
    )


def _told(error: DatabaseError, url: URL) -> ProjectError:
    shown = url.render_as_string(hide_password=True)
    reason = _reason(error)
    if isinstance(error, OperationalError):
        return ProjectError(f"the store {shown} cannot be opened: {reason}", cure="check [store] url")
    return ProjectError(
        f"the store {shown} is damaged: {reason}",
        cure="move the file away and run `gatewheel ingest` again; documents are read anew",
    )


def _engine(url: URL) -> Engine:
    try:
        # metadata filters look into lists as they are kept, so no \u escapes
        serialise = partial(json.dumps, ensure_ascii=False)
        # parameters are people's texts, which belong in no error message
        engine = create_engine(url, json_serializer=serialise, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"the driver for {url.render_as_string(hide_password=True)} is not installed ({error.name})",
            cure="run `pip install 'gatewheel[postgresql]'`",
        ) from None
    except (ArgumentError, NoSuchModuleError):
        raise _no_url() from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _record: Any) -> None:
    # its own lower() knows ASCII only, and a filter should find École by école
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    # WAL with NORMAL loses nothing when the process is killed; only a power cut may lose the last commits
    for pragma in ("busy_timeout=15000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _version(connection: Connection) -> str | None:
    # Alembic costs 0.2 s to import, so an up-to-date database is recognised without it
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, version: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise ProjectError(
            f"the store was made by a newer Gatewheel (schema {version}, this one knows {HEAD})",
            cure="upgrade gatewheel",
        )
    # One migration at a time, whole or not at all: whoever comes second finds the schema at its head. SQLite would
    # begin a transaction only at the first row that is written, after the tables.
    lock = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "SELECT pg_advisory_xact_lock(727274)"
    with engine.begin() as connection:
        connection.exec_driver_sql(lock)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
