"""Who was told whose answers they labelled: what they would label after that is no longer blind."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.store.schema import meta


def reveal(engine: Engine, rater: str, sheet: str) -> None:
    """Note that a rater was told; `sheet` is all that the sheet is made of, as its seal has it."""
    with suppress(IntegrityError), engine.begin() as connection:  # once is enough
        connection.execute(insert(meta).values(key=_key(rater, sheet), value=f"{time.time()}"))


def revealed(engine: Engine, rater: str, sheet: str) -> bool:
    """Whether a rater was told."""
    with engine.connect() as connection:
        return connection.execute(select(meta.c.key).where(meta.c.key == _key(rater, sheet))).first() is not None


def _key(rater: str, sheet: str) -> str:
    return f"told {hashlib.sha256(f'{rater}{chr(0)}{sheet}'.encode()).hexdigest()[:40]}"
