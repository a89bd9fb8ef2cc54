"""Responses that may be read again or continued by `previous_response_id`. Each belongs to the key that asked."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, and_, delete, insert, select

from gatewheel.kernel.nouns import Message, ToolCall
from gatewheel.kernel.store.schema import responses

_ID = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """A response as it was sent, and the conversation up to it without its instructions."""

    messages: tuple[Message, ...]
    body: Mapping[str, Any]


def keep(engine: Engine, *, id: str, key: str, messages: Sequence[Message], body: Mapping[str, Any]) -> None:  # noqa: A002
    """Write a response."""
    rows = [asdict(message) for message in messages]
    with engine.begin() as connection:
        connection.execute(
            insert(responses).values(id=id, created=time.time(), key=key, messages=rows, body=dict(body))
        )


def find(engine: Engine, *, id: str, key: str) -> Remembered | None:  # noqa: A002
    """A response of this key; None when there is none."""
    with engine.connect() as connection:
        row = connection.execute(select(responses).where(_own(id, key))).one_or_none()
    return Remembered(messages=tuple(_message(one) for one in row.messages), body=row.body) if row else None


def forget(engine: Engine, *, id: str, key: str) -> bool:  # noqa: A002
    """Delete a response of this key; False when there is none."""
    with engine.begin() as connection:
        return connection.execute(delete(responses).where(_own(id, key))).rowcount > 0


def _own(identity: str, key: str) -> Any:
    # what cannot be an id may hold a NUL, which PostgreSQL takes in no text
    return and_(responses.c.id == (identity if _ID.fullmatch(identity) else ""), responses.c.key == key)


def _message(row: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in row["tool_calls"])
    return Message(**{**row, "tool_calls": calls})
