"""The read side of the passage store: rows by terms, rows by vector, passages by row, text by document."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Engine, select

from gatewheel.embeddings import textsearch, where
from gatewheel.embeddings.analyse import Analyser
from gatewheel.kernel.nouns import Document, Passage
from gatewheel.kernel.store.schema import documents, meta, passages

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Index, Vectors


class PassageSearch:
    """Fulfils the port Passages.

    The vector index is opened at the first question that needs it, and anew whenever the passages have changed since,
    so that a process that lives long sees what another has ingested.
    """

    def __init__(self, engine: Engine, *, analyser: Analyser, open_index: Callable[[], Index]) -> None:
        self.engine = engine
        self.analyser = analyser
        self._open_index = open_index
        self._opened: tuple[str, Index] | None = None  # at which revision of the store

    def seen_by(self, groups: frozenset[str]) -> PassageSearch:
        """The passages of documents that are open to all or to one of these groups."""
        raise NotImplementedError

    def by_terms(self, question: str, *, k: int, where: str = "") -> list[tuple[int, float]]:
        """Rows with their BM25 score, best first. Raises FilterError for a filter that does not parse."""
        clause = _clause(where)
        with self.engine.connect() as connection:
            return textsearch.search(connection, self.analyser.terms(question), k=k, where=clause)

    def by_vector(self, vector: Vectors, *, k: int, where: str = "") -> list[tuple[int, float]]:
        """Rows with their cosine, best first. Raises FilterError for a filter that does not parse."""
        clause = _clause(where)
        index = self._present_index()
        if clause is None:
            return index.search(vector, k=k)
        with self.engine.connect() as connection:
            query = select(passages.c.id).join(documents).where(clause)
            among = np.fromiter(connection.execute(query).scalars(), dtype=np.int64)
        return index.search(vector, k=k, among=among) if len(among) else []

    def _present_index(self) -> Index:
        with self.engine.connect() as connection:
            revision = connection.execute(select(meta.c.value).where(meta.c.key == "revision")).scalar() or ""
        opened = self._opened
        if opened is None or opened[0] != revision:
            self._opened = opened = (revision, self._open_index())
        return opened[1]

    def fetch(self, rows: Sequence[int]) -> dict[int, Passage]:
        """The passages behind rows, in the order asked; rows that an ingest has replaced meanwhile are left out."""
        query = select(passages, documents.c.source, documents.c.title).join(documents)
        with self.engine.connect() as connection:
            found = {row.id: row for row in connection.execute(query.where(passages.c.id.in_(rows)))}
        return {row: _passage(found[row]) for row in rows if row in found}

    def document(self, source: str) -> Document | None:
        """A document with its whole text, or None."""
        with self.engine.connect() as connection:
            row = connection.execute(select(documents).where(documents.c.source == source)).one_or_none()
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
        query = select(passages, documents.c.source, documents.c.title).join(documents)
        with self.engine.connect() as connection:
            rows = connection.execute(query.where(documents.c.source == source).order_by(passages.c.id))
            return [_passage(row) for row in rows]


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
