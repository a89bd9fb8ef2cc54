"""The read side of the passage store: rows by terms, rows by vector, passages by row, text by document.

What a view may see is one condition (grants.py) that stands in every query of it.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Engine, Select, and_, func, or_, select

from gatewheel.embeddings import grants, seen, textsearch, where
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.seen import Seen
from gatewheel.embeddings.textsearch import Visible
from gatewheel.embeddings.where import UNSTORABLE
from gatewheel.kernel.nouns import Document, Passage
from gatewheel.kernel.store import schema
from gatewheel.kernel.store.schema import documents, meta, passages

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Index, Vectors

VIEWS = 8  # sets of groups whose visible rows are kept: 16 bytes a passage each


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentRow:
    """A document in a list. `characters` reach to the end of its last passage; `groups` are those the view may see."""

    source: str
    title: str
    format: str
    language: str
    passages: int
    characters: int
    groups: tuple[str, ...]


class PassageSearch:
    """Fulfils the port Passages.

    The vector index is opened at the first question that needs it, and anew whenever the passages have changed since,
    so that a process that lives long sees what another has ingested.
    """

    def __init__(self, engine: Engine, *, analyser: Analyser, open_index: Callable[[], Index]) -> None:
        self.engine = engine
        self.analyser = analyser
        self.groups: frozenset[str] | None = None
        self._kept = _Kept(open_index)

    def seen_by(self, groups: frozenset[str]) -> PassageSearch:
        """The passages of documents that are open to all or to one of these groups. Shares the opened index."""
        view = PassageSearch(self.engine, analyser=self.analyser, open_index=self._kept.open_index)
        view._kept = self._kept
        view.groups = groups if self.groups is None else groups & self.groups
        return view

    def by_terms(self, question: str, *, k: int, where: str = "") -> list[tuple[int, float]]:
        """Rows with their BM25 score, best first. Raises FilterError for a filter that does not parse."""
        clause, terms = _clause(where), self.analyser.terms(question)
        visible = grants.visible(self.groups)
        with self.engine.connect() as connection:
            if visible is None:
                return textsearch.search(connection, terms, k=k, where=clause)
            now = self._seen(connection, _revision(connection))
            if connection.dialect.name != "sqlite":
                length = float(now.lengths.mean()) if len(now.rows) else 0.0
                view = Visible(visible, len(now.rows), length)
                return textsearch.search(connection, terms, k=k, where=clause, visible=view)
            among = None if clause is None else self._rows(connection, clause)
            return seen.search(connection, terms, seen=now, k=k, among=among)

    def by_vector(self, vector: Vectors, *, k: int, where: str = "") -> list[tuple[int, float]]:
        """Rows with their cosine, best first. Raises FilterError for a filter that does not parse."""
        clause = _clause(where)
        with self.engine.connect() as connection:
            revision = _revision(connection)
        index = self._kept.index(revision)
        if clause is None and self.groups is None:
            return index.search(vector, k=k)
        with self.engine.connect() as connection:
            among = self._seen(connection, revision).rows if clause is None else self._rows(connection, clause)
        return index.search(vector, k=k, among=among) if len(among) else []

    def fetch(self, rows: Sequence[int]) -> dict[int, Passage]:
        """The passages behind rows, in the order asked; rows that an ingest has replaced meanwhile are left out."""
        with self.engine.connect() as connection:
            found = {row.id: row for row in connection.execute(self._passages().where(passages.c.id.in_(rows)))}
        return {row: _passage(found[row]) for row in rows if row in found}

    def document(self, source: str) -> Document | None:
        """A document with its whole text, or None."""
        with self.engine.connect() as connection:
            query = self._only(select(documents).where(documents.c.source == _storable(source)))
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Document(
            source=row.source,
            text=zlib.decompress(row.text).decode("utf-8"),
            format=row.format,
            title=row.title,
            language=row.language,
            pages=tuple(row.pages),
            meta=row.meta,
        )

    def passages_of(self, source: str) -> list[Passage]:
        """Every passage of a document, in order."""
        query = self._passages().where(documents.c.source == _storable(source)).order_by(passages.c.id)
        with self.engine.connect() as connection:
            return [_passage(row) for row in connection.execute(query)]

    def documents(self, *, text: str = "", offset: int = 0, limit: int = 50) -> tuple[int, list[DocumentRow]]:
        """How many documents there are, and some of them by source. `text` is sought in source and title."""
        columns = (documents.c.id, documents.c.source, documents.c.title, documents.c.format, documents.c.language)
        listed = self._only(select(*columns))
        if text:
            sought = _storable(text.lower())
            either = (func.lower(column).contains(sought, autoescape=True) for column in columns[1:3])
            listed = listed.where(or_(*either))
        with self.engine.connect() as connection:
            total = connection.execute(select(func.count()).select_from(listed.subquery())).scalar_one()
            rows = connection.execute(listed.order_by(documents.c.source).offset(offset).limit(limit)).all()
            ids = [row.id for row in rows]
            sizes = _sizes(connection, ids)
            groups = self._groups(connection, ids)
        return total, [
            DocumentRow(
                source=row.source,
                title=row.title,
                format=row.format,
                language=row.language,
                passages=sizes.get(row.id, (0, 0))[0],
                characters=sizes.get(row.id, (0, 0))[1],
                groups=tuple(groups.get(row.id, ())),
            )
            for row in rows
        ]

    def totals(self) -> tuple[int, int]:
        """Documents and passages."""
        several = self._only(select(func.count()).select_from(documents))
        pieces = select(func.count()).select_from(passages)
        if self.groups is not None:
            pieces = self._only(pieces.join(documents))
        with self.engine.connect() as connection:
            return connection.execute(several).scalar_one(), connection.execute(pieces).scalar_one()

    def _only(self, query: Select[Any]) -> Select[Any]:
        visible = grants.visible(self.groups)
        return query if visible is None else query.where(visible)

    def _passages(self) -> Select[Any]:
        return self._only(select(passages, documents.c.source, documents.c.title).join(documents))

    def _rows(self, connection: Connection, clause: Any) -> Any:
        visible = grants.visible(self.groups)
        both = clause if visible is None else and_(visible, clause)
        query = select(passages.c.id).join(documents).where(both)
        return np.fromiter(connection.execute(query).scalars(), dtype=np.int64)

    def _seen(self, connection: Connection, revision: str) -> Seen:
        visible = grants.visible(self.groups)
        assert self.groups is not None
        assert visible is not None
        return self._kept.view(self.groups, revision, lambda: seen.read(connection, visible))

    def _groups(self, connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
        granted = schema.grants
        query = select(granted.c.document_id, granted.c.group).where(granted.c.document_id.in_(ids))
        found: dict[int, list[str]] = {}
        for id_, group in connection.execute(query.order_by(granted.c.group)):
            if self.groups is None or group in self.groups:
                found.setdefault(id_, []).append(group)
        return found


class _Kept:
    """What all views of a store share: the opened index, and the rows that a set of groups sees."""

    def __init__(self, open_index: Callable[[], Index]) -> None:
        self.open_index = open_index
        self._opened: tuple[str, Index] | None = None  # at which revision of the store
        self._views: OrderedDict[frozenset[str], tuple[str, Seen]] = OrderedDict()
        self._one = threading.Lock()  # two threads must not bring the same folder up to date

    def index(self, revision: str) -> Index:
        opened = self._opened
        if opened is None or opened[0] != revision:
            with self._one:
                opened = self._opened
                if opened is None or opened[0] != revision:
                    self._opened = opened = (revision, self.open_index())
        return opened[1]

    def view(self, groups: frozenset[str], revision: str, read: Callable[[], Seen]) -> Seen:
        kept = self._views.get(groups)
        if kept is None or kept[0] != revision:
            # what is read may be newer than the revision, never older: it is then read once more than needed
            kept = (revision, read())
        with self._one:
            self._views[groups] = kept
            self._views.move_to_end(groups)
            while len(self._views) > VIEWS:
                self._views.popitem(last=False)
        return kept[1]


def _revision(connection: Connection) -> str:
    return connection.execute(select(meta.c.value).where(meta.c.key == "revision")).scalar() or ""


def _sizes(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    count, end = func.count(), func.max(passages.c.end)
    query = select(passages.c.document_id, count, end).where(passages.c.document_id.in_(ids))
    return {id_: (n, last) for id_, n, last in connection.execute(query.group_by(passages.c.document_id))}


def _storable(text: str) -> str:
    """What no document holds and no database takes, as a sign that no name has."""
    return UNSTORABLE.sub("\ufffd", text)


def _clause(text: str) -> Any:
    return where.parse(text) if text.strip() else None


def _passage(row: Any) -> Passage:
    return Passage(
        id=row.public_id,
        source=row.source,
        span=(row.start, row.end),
        text=row.text,
        heading=row.heading,
        page=row.page,
        tokens=row.tokens,
        title=row.title,
    )
