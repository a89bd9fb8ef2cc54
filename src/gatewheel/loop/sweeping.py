"""Writes a SQLite database anew: what was deleted stands in its free pages until something overwrites it.

PostgreSQL does so by itself (autovacuum), in its own time.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

_ANEW = (
    "INSERT INTO passages_fts(passages_fts) VALUES('optimize')",  # terms of deleted passages stay until a merge
    "VACUUM",
    "PRAGMA wal_checkpoint(TRUNCATE)",
)


def sweep(engine: Engine, say: Callable[[str], None]) -> None:
    """Leave nothing that was deleted in the file of the database; where somebody is reading that is told and left.

    12 s for a gigabyte, and as much free disk.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            for statement in _ANEW:
                connection.exec_driver_sql(statement)
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            say(f"deleted bytes may stay in the file of the database for a while ({reason}): run the same again")
