"""What cases were made of: traces and what people said of them, spans of documents, files. Append-only.

A case is known here as in the split, by what it asks. By its origins an answer can be followed to what it was learned
from, and what somebody wants forgotten to all that learned from it.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, Text, cast, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.kernel.store.learning import origins

Kind = Literal["trace", "feedback", "document", "file"]
Some = TypeVar("Some")
DOCUMENTS = "documents"  # in the detail of a trace: the sources of what was read for it
_AT_ONCE = 5_000  # rows a statement: five values each, and SQLite takes 32,766


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """One thing that a case was made of. `case` is its `split_key`.

    `ref` is the id of a trace or of a feedback, the source of a document, or a file; `detail` says where in it, and
    holds no text that anybody wrote.
    """

    case: str
    kind: Kind
    ref: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def write(connection: Connection, found: Sequence[Origin]) -> int:
    """Enter what is new, inside of the caller's transaction, and return how much that is; the first word stands."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    entering = insert(origins).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    now, new = time.time(), 0
    known = {(one.case, one.kind, one.ref): one for one in reversed(found)}
    # each process takes the rows in one order, so none waits for another that waits for it
    for some in _batches([known[key] for key in sorted(known)]):
        rows = [
            {"case": one.case, "kind": one.kind, "ref": one.ref, "created": now, "detail": dict(one.detail)}
            for one in some
        ]
        new += connection.execute(entering, rows).rowcount
    return new


def keep(engine: Engine, found: Sequence[Origin]) -> int:
    """Enter what is new in a transaction of its own, all or nothing."""
    with engine.begin() as connection:
        return write(connection, found)


def of(engine: Engine, cases: Iterable[str]) -> dict[str, list[Origin]]:
    """What these cases were made of, the first that was entered first; a case of which nothing is known is left out."""
    found: dict[str, list[Origin]] = defaultdict(list)
    with engine.connect() as connection:
        for some in _batches(sorted(set(cases))):
            asked = select(origins).where(origins.c.case.in_(some))
            for row in connection.execute(asked.order_by(origins.c.created, origins.c.kind, origins.c.ref)):
                found[row.case].append(_origin(row))
    return dict(found)


def made_of(engine: Engine, kind: Kind, refs: Iterable[str]) -> list[Origin]:
    """All cases that were made of one of these."""
    with engine.connect() as connection:
        return [
            _origin(row)
            for some in _batches(sorted(set(refs)))
            for row in connection.execute(
                select(origins).where(origins.c.kind == kind, origins.c.ref.in_(some)).order_by(origins.c.case)
            )
        ]


def of_documents(engine: Engine, source: str) -> list[Origin]:
    """All cases that were made of a document, or of one whose source begins so."""
    named = origins.c.ref.startswith(source, autoescape=True)
    with engine.connect() as connection:
        rows = connection.execute(select(origins).where(origins.c.kind == "document", named).order_by(origins.c.case))
        return [_origin(row) for row in rows]


def shown(engine: Engine, source: str) -> list[Origin]:
    """All cases that were made of traces for which a document was read, or one whose source begins so.

    The traces themselves may be gone for their age by now.
    """
    said = cast(origins.c.detail, Text)
    found = said.contains(json.dumps(source)[1:-1], autoescape=True) | said.contains(source, autoescape=True)
    with engine.connect() as connection:
        rows = connection.execute(select(origins).where(origins.c.kind == "trace", found).order_by(origins.c.case))
        every = map(_origin, rows)
        return [one for one in every if any(name.startswith(source) for name in one.detail.get(DOCUMENTS, ()))]


def _origin(row: Any) -> Origin:
    return Origin(case=row.case, kind=row.kind, ref=row.ref, detail=row.detail)


def _batches(rows: Sequence[Some]) -> Iterator[Sequence[Some]]:
    return (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE))
