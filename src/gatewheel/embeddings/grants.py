"""Who may see which document: groups written beside each document, and the one SQL clause that every read obeys.

A document's groups are those of its own field `groups` and those of the rules that take its name. Without any it is
open to every key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, or_, select, update

from gatewheel.kernel.settings import GROUP
from gatewheel.kernel.store.schema import documents, files, grants, meta

NOBODY = ""  # a group that no key can have: a document whose field cannot be understood is closed, not open
FORM = "1"  # grows when the same field or rule would give other groups; all documents are then granted anew
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Rules:
    """The groups that a document has by its name. `id` changes whenever an answer of `of` may."""

    id: str = ""
    of: Callable[[str], Iterable[str]] = lambda _: ()


def visible(groups: Collection[str] | None) -> ColumnElement[bool] | None:
    """A condition on `documents`: open to all or to one of these groups. None, which sees all, needs no condition."""
    if groups is None:
        return None
    granted = select(grants.c.document_id).where(grants.c.document_id == documents.c.id)
    return or_(~granted.exists(), granted.where(grants.c.group.in_(sorted(groups))).exists())


def groups_of(source: str, file: str, about: Mapping[str, Any], rules: Rules) -> list[str]:
    """The groups of a document, sorted. `file` is the source of its file: a rule for a file takes every record."""
    named = _named(about.get("groups"))
    return sorted({*named, *rules.of(source), *rules.of(file)})


def _named(value: Any) -> set[str]:
    """Groups of a list, or of a text with commas; NOBODY when one of them is no name of a group."""
    parts = value if isinstance(value, list | tuple) else [] if value is None else str(value).split(",")
    names = {str(part).strip() for part in parts} - {""}
    return names if all(GROUP.fullmatch(name) for name in names) else {NOBODY}


def add(connection: Connection, document_id: int, groups: Iterable[str]) -> None:
    """Grant a new document to groups."""
    if values := [{"document_id": document_id, "group": group} for group in groups]:
        connection.execute(insert(grants), values)


def bring_up(engine: Engine, rules: Rules) -> bool:
    """Grant all documents anew when it was done by other rules. One transaction; returns whether it was needed.

    The store's revision grows with it, so that no process goes on with what it remembers of who may see what.
    """
    stamp = f"{FORM}:{rules.id}"
    said = select(meta.c.value).where(meta.c.key == "rules")
    with engine.connect() as connection:  # read first: a service that starts should not wait for one that writes
        if connection.execute(said).scalar() == stamp:
            return False
    with engine.begin() as connection:
        set_meta(connection, "rules", stamp)  # takes the lock of writing before anything is read
        connection.execute(delete(grants))
        source = documents.c.source.label("name")
        query = select(documents.c.id, source, documents.c.meta, files.c.source).join(files)
        last = 0
        ordered = query.order_by(documents.c.id).limit(BATCH)
        while rows := connection.execute(ordered.where(documents.c.id > last)).all():
            for id_, name, about, file in rows:
                add(connection, id_, groups_of(name, file, about, rules))
            last = rows[-1][0]
        bump(connection)
    return True


def bump(connection: Connection) -> None:
    """A new revision of the store: passages, or who may see them, have changed."""
    before = connection.execute(select(meta.c.value).where(meta.c.key == "revision")).scalar()
    set_meta(connection, "revision", str(int(before or 0) + 1))


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Write one value about the store."""
    if connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount == 0:
        connection.execute(insert(meta).values(key=key, value=value))
