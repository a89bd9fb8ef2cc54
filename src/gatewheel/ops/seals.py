"""Seals: what an operator chose, signed with a secret of the project's database, so that others bring it unchanged.

HMAC-SHA256 (RFC 2104). No seal is kept; it holds until the database is another one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.store.schema import meta

SECRET = "seal"


def seal(engine: Engine, said: str) -> str:
    """The seal of a text: 32 hexadecimal digits, the same whichever process is asked."""
    return hmac.new(_secret(engine).encode(), said.encode(), hashlib.sha256).hexdigest()[:32]


def holds(engine: Engine, said: str, given: str) -> bool:
    """Whether the seal of a text is this one; how long it takes to say so tells nothing of it."""
    return hmac.compare_digest(seal(engine, said).encode(), given.encode())


def _secret(engine: Engine) -> str:
    """Made with the first seal; of two processes that both make one the first stays."""
    query = select(meta.c.value).where(meta.c.key == SECRET)
    with engine.connect() as connection:
        if found := connection.execute(query).scalar():
            return str(found)
    try:
        with engine.begin() as connection:
            connection.execute(insert(meta).values(key=SECRET, value=secrets.token_hex(32)))
    except IntegrityError:
        pass  # another process made one
    with engine.connect() as connection:
        return str(connection.execute(query).scalar_one())
