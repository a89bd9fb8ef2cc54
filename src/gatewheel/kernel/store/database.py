"""Open a project's database: SQLite in WAL mode, or PostgreSQL by URL, at the newest migration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from gatewheel.kernel.errors import MissingPart, ProjectError

HEAD = "0001"
URL_VARIABLE = "GATEWHEEL_STORE_URL"


def open_database(state: Path, url: str = "") -> Engine:
    """Connect, and migrate when needed.

    Raises ProjectError when the database cannot be opened or is newer than this version, MissingPart without a driver.
    """
    url = os.environ.get(URL_VARIABLE) or url
    if not url:
        state.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{state / 'gatewheel.db'}"
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            version = _version(connection)
        if version != HEAD:
            _migrate(engine, version)
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise ProjectError(f"the store {_shown(url)} cannot be opened: {reason}", cure="check [store] url") from None
    except DatabaseError as error:
        reason = str(error.orig).splitlines()[0]
        raise ProjectError(
            f"the store {_shown(url)} is damaged: {reason}",
            cure="move the file away and run `gatewheel ingest` again; documents are read anew",
        ) from None
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed)
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"the driver for {_shown(url)} is not installed ({error.name})",
            cure="run `pip install 'gatewheel[postgresql]'`",
        ) from None
    except (ArgumentError, NoSuchModuleError):
        raise ProjectError(
            "[store] url is not a database URL", cure="write e.g. postgresql://user@host/name, or leave it empty"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # WAL with NORMAL loses nothing when the process is killed; only a power cut may lose the last commits
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


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
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))  # one migration at a time
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(unreadable URL)"
