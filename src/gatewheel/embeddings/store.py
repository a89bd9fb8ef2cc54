"""The passages of a project: a document, its passages and their terms in one transaction, vectors before them.

Knows nothing about files being read or questions being asked.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from gatewheel.embeddings import grants, textsearch
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.grants import Rules, bump, set_meta
from gatewheel.kernel.nouns import Passage, Refusal
from gatewheel.kernel.ports import Entry, FileState
from gatewheel.kernel.store.schema import documents, files, meta, passages, vectors

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Vectors

PIECE = 1 << 20  # characters that are compressed at a time
BATCH = 500  # values per IN list; SQLite allows 32,766, older builds 999


class PassageStore:
    """Reads and writes passages. One writer at a time; readers never wait (WAL)."""

    def __init__(self, engine: Engine, *, analyser: Analyser, encoder_id: str, rules: Rules = Rules()) -> None:  # noqa: B008 (frozen)
        self.engine = engine
        self.analyser = analyser
        self.encoder_id = encoder_id
        self.rules = rules

    # the ledger of files

    def files(self) -> dict[str, FileState]:
        """Every file of the ledger by its source."""
        count = func.count(documents.c.id).label("documents")
        query = select(files, count).outerjoin(documents).group_by(files.c.id)
        with self.engine.connect() as connection:
            return {row.source: _file_state(row) for row in connection.execute(query)}

    def open_file(self, source: str, *, size: int, mtime_ns: int, recipe: str, named: bool) -> int:
        """Begin reading a file; until `close_file` the ledger holds it as partly read."""
        values = {"sha256": "", "size": size, "mtime_ns": mtime_ns, "recipe": recipe, "named": named, "refusals": []}
        with self.engine.begin() as connection:
            return _upsert_file(connection, source, values)

    def close_file(
        self, source: str, *, sha256: str, refusals: Sequence[Refusal] = (), keep: Collection[str] = ()
    ) -> int:
        """The file is read whole: drop its documents that are not in `keep`. Returns how many were dropped."""
        with self.engine.begin() as connection:
            row = connection.execute(select(files.c.id).where(files.c.source == source)).scalar_one()
            found = connection.execute(select(documents.c.id, documents.c.source).where(documents.c.file_id == row))
            gone = [id_ for id_, name in found if name not in keep]
            self._drop_documents(connection, gone)
            connection.execute(
                update(files)
                .where(files.c.id == row)
                .values(sha256=sha256, refusals=[[one.source, one.reason] for one in refusals])
            )
            return len(gone)

    def touch_file(self, source: str, *, size: int, mtime_ns: int, named: bool) -> None:
        """Same bytes, another time stamp."""
        with self.engine.begin() as connection:
            values = {"size": size, "mtime_ns": mtime_ns, "named": named}
            connection.execute(update(files).where(files.c.source == source).values(**values))

    def remove_file(self, source: str) -> int:
        """Forget a file with its documents. Returns how many documents it had."""
        with self.engine.begin() as connection:
            row = connection.execute(select(files.c.id).where(files.c.source == source)).scalar()
            if row is None:
                return 0
            found = list(connection.execute(select(documents.c.id).where(documents.c.file_id == row)).scalars())
            self._drop_documents(connection, found)
            connection.execute(delete(files).where(files.c.id == row))
            return len(found)

    # documents and passages

    def known_documents(self, file_id: int) -> dict[str, str]:
        """Source → digest of the documents of a file."""
        with self.engine.connect() as connection:
            query = select(documents.c.source, documents.c.sha256).where(documents.c.file_id == file_id)
            return {source: sha for source, sha in connection.execute(query)}

    def missing_vectors(self, keys: Sequence[str]) -> set[str]:
        """Which of these keys have no vector by this encoder yet."""
        wanted = list(dict.fromkeys(keys))
        have: set[str] = set()
        with self.engine.connect() as connection:
            for at in range(0, len(wanted), BATCH):
                query = select(vectors.c.key).where(
                    vectors.c.encoder == self.encoder_id, vectors.c.key.in_(wanted[at : at + BATCH])
                )
                have.update(connection.execute(query).scalars())
        return set(wanted) - have

    def add_vectors(self, keys: Sequence[str], rows: Vectors) -> None:
        """Keep vectors under their keys, shape (len(keys), dimensions). They outlive a kill before their passages."""
        if not len(keys):
            return
        values = [
            {"encoder": self.encoder_id, "key": key, "vector": row.astype("<f2").tobytes()}
            for key, row in zip(keys, rows, strict=True)
        ]
        with self.engine.begin() as connection:
            connection.execute(insert(vectors), values)

    def write(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Replace or add documents with their passages and terms, all or nothing. Pairs are (file id, entry)."""
        if not entries:
            return
        with self.engine.begin() as connection:
            sources = [entry.document.source for _, entry in entries]
            for at in range(0, len(sources), BATCH):
                query = select(documents.c.id).where(documents.c.source.in_(sources[at : at + BATCH]))
                self._drop_documents(connection, list(connection.execute(query).scalars()))
            for file_id, entry in entries:
                self._insert(connection, file_id, entry)
            bump(connection)

    def tidy(self) -> int:
        """Delete vectors that no passage uses any more, and those of other encoders once every passage has one by
        this encoder. Returns how many.
        """
        with self.engine.begin() as connection:
            used = select(passages.c.id).where(passages.c.key == vectors.c.key).exists()
            count = connection.execute(delete(vectors).where(~used)).rowcount
            own = (vectors.c.key == passages.c.key) & (vectors.c.encoder == self.encoder_id)
            bare = select(passages.c.id).where(~select(vectors.c.id).where(own).exists()).limit(1)
            if connection.execute(bare).first() is None:
                count += connection.execute(delete(vectors).where(vectors.c.encoder != self.encoder_id)).rowcount
            return count

    def use_terms_of(self, analyser: Analyser) -> None:
        """Index all passages anew when their terms were made by another analyser."""
        with self.engine.begin() as connection:
            before = _meta(connection, "analyser")
            if before == analyser.id:
                return
            set_meta(connection, "analyser", analyser.id)
            if before is None:
                return
            textsearch.clear(connection)
            last = 0
            query = select(passages.c.id, passages.c.heading, passages.c.text).order_by(passages.c.id).limit(5_000)
            while rows := [tuple(row) for row in connection.execute(query.where(passages.c.id > last))]:
                textsearch.add(connection, rows, analyser)
                last = rows[-1][0]

    def totals(self) -> tuple[int, int]:
        """Documents and passages in the index."""
        with self.engine.connect() as connection:
            count = [
                connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (documents, passages)
            ]
            return count[0], count[1]

    # what a derived index is built from

    def revision(self) -> int:
        """Grows with every change of passages."""
        with self.engine.connect() as connection:
            return int(_meta(connection, "revision") or 0)

    def identity(self) -> str:
        """Of this database, made at the first call: an index must not be mistaken for one of another database."""
        with self.engine.begin() as connection:
            known = _meta(connection, "identity")
            if known is None:
                known = secrets.token_hex(8)
                set_meta(connection, "identity", known)
            return known

    def rows(self) -> Any:
        """Row numbers of all passages that have a vector, ascending, int64."""
        with self.engine.connect() as connection:
            return np.fromiter(connection.execute(self._with_vectors(passages.c.id)).scalars(), dtype=np.int64)

    def vectors(self, after: int = 0) -> Iterator[tuple[Any, Vectors]]:
        """(row numbers, vectors) in batches, ascending, of the passages whose row is greater than `after`."""
        with self.engine.connect() as connection:
            query = self._with_vectors(passages.c.id, vectors.c.vector).where(passages.c.id > after)
            for batch in connection.execution_options(yield_per=8192).execute(query).partitions():
                ids = np.array([row for row, _ in batch], dtype=np.int64)
                yield ids, np.stack([np.frombuffer(blob, dtype="<f2") for _, blob in batch]).astype(np.float32)

    def _with_vectors(self, *columns: Any) -> Any:
        return (
            select(*columns)
            .join(vectors, (vectors.c.key == passages.c.key) & (vectors.c.encoder == self.encoder_id))
            .order_by(passages.c.id)
        )

    def _drop_documents(self, connection: Connection, ids: Sequence[int]) -> None:
        for at in range(0, len(ids), BATCH):
            some = ids[at : at + BATCH]
            query = select(passages.c.id, passages.c.heading, passages.c.text).where(passages.c.document_id.in_(some))
            for batch in connection.execute(query).partitions(5_000):
                textsearch.remove(connection, [tuple(row) for row in batch], self.analyser)
            connection.execute(delete(passages).where(passages.c.document_id.in_(some)))
            connection.execute(delete(documents).where(documents.c.id.in_(some)))
        if ids:
            bump(connection)

    def _insert(self, connection: Connection, file_id: int, entry: Entry) -> None:
        document = entry.document
        values = {
            "file_id": file_id,
            "source": document.source,
            "sha256": entry.sha256,
            "format": document.format,
            "title": document.title,
            "language": document.language,
            "pages": list(document.pages),
            "meta": dict(document.meta),
            "text": _compressed(document.text),
        }
        key = connection.execute(insert(documents).values(**values)).inserted_primary_key
        document_id = key[0] if key else 0
        # in the same transaction: nobody may find a document before it is known who may see it
        file = connection.execute(select(files.c.source).where(files.c.id == file_id)).scalar_one()
        grants.add(connection, document_id, grants.groups_of(document.source, file, document.meta, self.rules))
        for at in range(0, len(entry.passages), 5_000):
            some = zip(entry.passages[at : at + 5_000], entry.keys[at : at + 5_000], strict=True)
            rows = [_columns(passage, document_id, key) for passage, key in some]
            result = connection.execute(insert(passages).returning(passages.c.id, sort_by_parameter_order=True), rows)
            ids = result.scalars().all()
            triples = [(id_, row["heading"], row["text"]) for id_, row in zip(ids, rows, strict=True)]
            textsearch.add(connection, triples, self.analyser)


def _file_state(row: Any) -> FileState:
    values = dict(row._mapping)
    refusals = tuple(Refusal(source=source, reason=reason) for source, reason in values.pop("refusals"))
    return FileState(**values, refusals=refusals)


def _compressed(text: str) -> bytes:
    packer = zlib.compressobj(level=1)
    pieces = (text[at : at + PIECE].encode("utf-8") for at in range(0, len(text), PIECE))
    return b"".join([*map(packer.compress, pieces), packer.flush()])


def _columns(passage: Passage, document_id: int, key: str) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "public_id": passage.id,
        "start": passage.span[0],
        "end": passage.span[1],
        "page": passage.page,
        "heading": passage.heading,
        "tokens": passage.tokens,
        "key": key,
        "text": passage.text,
    }


def _upsert_file(connection: Connection, source: str, values: dict[str, Any]) -> int:
    row = connection.execute(select(files.c.id).where(files.c.source == source)).scalar()
    if row is not None:
        connection.execute(update(files).where(files.c.id == row).values(**values))
        return int(row)
    key = connection.execute(insert(files).values(source=source, **values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _meta(connection: Connection, key: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
