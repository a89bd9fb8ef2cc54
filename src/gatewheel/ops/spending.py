"""What each key has spent on each day, in UTC, and whether that is all it may."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from sqlalchemy import Engine, Insert, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.kernel.nouns import Key, Usage
from gatewheel.kernel.store.schema import spending

DAY = 24 * 3600


def spend(engine: Engine, key: str, usage: Usage) -> None:
    """Add what one answer took; "" is the owner. An answer whose price is not known counts as free of cost."""
    row = {
        "key": key,
        "day": today(),
        "requests": 1,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "dollars": usage.cost or 0.0,
    }
    with engine.begin() as connection:
        connection.execute(_adding(engine.dialect.name), row)


def spent_today(engine: Engine, key: str | None = None) -> float:
    """Dollars since midnight UTC, of one key or of all."""
    query = select(func.coalesce(func.sum(spending.c.dollars), 0.0)).where(spending.c.day == today())
    if key is not None:
        query = query.where(spending.c.key == key)
    with engine.connect() as connection:
        return float(connection.execute(query).scalar_one())


def spent(engine: Engine, key: Key | None, *, most: float | None) -> str:
    """Whose dollars of today are spent, in words: those of a key, or the `most` of all together; else empty."""
    if key and key.dollars_per_day is not None and spent_today(engine, key.id) >= key.dollars_per_day:
        return f"the key '{key.name}' has spent its {key.dollars_per_day:g} dollars of today"
    if most is not None and spent_today(engine) >= most:
        return f"the {most:g} dollars that may be spent a day are spent"
    return ""


def since(engine: Engine, *, days: int) -> list[dict[str, Any]]:
    """The rows of the last so many days, today among them, the newest day first."""
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (days - 1) * DAY))
    query = select(spending).where(spending.c.day >= first).order_by(spending.c.day.desc(), spending.c.key)
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


@cache  # building it takes ten times as long as running it
def _adding(dialect: str) -> Insert:
    """One statement, so that two that end at the same moment both count."""
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(spending)
    added = ("requests", "input_tokens", "output_tokens", "dollars")
    more = {name: spending.c[name] + insert.excluded[name] for name in added}
    adding: Insert = insert.on_conflict_do_update(index_elements=["key", "day"], set_=more)
    return adding


def today() -> str:
    """The day in UTC, such as 2026-11-21."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def seconds_left() -> int:
    """Until midnight UTC, at least 1."""
    return max(1, DAY - int(time.time()) % DAY)
