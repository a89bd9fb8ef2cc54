"""Sessions of the studio: a random token in a cookie, its hash here, and the key that it stands for."""

from __future__ import annotations

import re
import secrets
import time

from sqlalchemy import Engine, delete, insert, select

from gatewheel.kernel.nouns import Key
from gatewheel.kernel.store.schema import keys, sessions
from gatewheel.ops.keys import digest, of_row

TOKEN = re.compile(r"gws_[\w-]{43}", re.ASCII)
SECONDS = 7 * 24 * 3600.0  # a week, then one logs in again


def begin(engine: Engine, key: Key) -> str:
    """A new session of a key; returns its token. Sessions that have ended are cleared away."""
    token = f"gws_{secrets.token_urlsafe(32)}"
    now = time.time()
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.expires <= now))
        connection.execute(insert(sessions).values(hash=digest(token), key=key.id, expires=now + SECONDS))
    return token


def find(engine: Engine, token: str) -> Key | None:
    """The key of a session, or None when it has ended or its key is revoked."""
    if not TOKEN.fullmatch(token):
        return None
    query = select(keys).join(sessions, sessions.c.key == keys.c.id)
    alive = (sessions.c.hash == digest(token)) & (sessions.c.expires > time.time()) & keys.c.revoked.is_(None)
    with engine.connect() as connection:
        row = connection.execute(query.where(alive)).one_or_none()
    return of_row(row) if row else None


def end(engine: Engine, token: str) -> None:
    """Log out."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.hash == digest(token)))
