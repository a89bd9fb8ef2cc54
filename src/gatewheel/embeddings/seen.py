"""What some groups see of the store, and BM25 over it on SQLite as if there were nothing else.

FTS5 scores with the counts of every passage, and a score would tell a key how many passages that it may not see hold
a word. Here only visible passages count. On PostgreSQL SQL counts them (textsearch.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)

from gatewheel.embeddings import textsearch
from gatewheel.embeddings.textsearch import COMMON, HEADING_WEIGHT, K1, B, use_terms
from gatewheel.kernel.store.schema import documents, passages

SIZES = table("passages_fts_docsize", column("id", BigInteger), column("sz", LargeBinary))
_INSTANCES = text(
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.passages_instances USING fts5vocab(main, passages_fts, instance)"
)
# an instance is one occurrence of a term; FTS5 walks only the list of the term that is asked for
_FREQUENCIES = text(
    f"SELECT doc, sum(CASE col WHEN 'heading' THEN {HEADING_WEIGHT} ELSE 1.0 END) FROM temp.passages_instances"
    " WHERE term = :term GROUP BY doc ORDER BY doc"
)
_COUNTS = text("SELECT term, doc FROM temp.passages_terms WHERE term IN :terms").bindparams(
    bindparam("terms", expanding=True)
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Visible passages: row numbers, ascending, int64, and their lengths in terms, float64."""

    rows: Any
    lengths: Any


def read(connection: Connection, visible: ColumnElement[bool]) -> Seen:
    """All that the condition lets through. 20,000 passages take 0.06 s; keep it until the store changes."""
    query = select(passages.c.id).select_from(passages.join(documents)).where(visible).order_by(passages.c.id)
    if connection.dialect.name == "sqlite":
        sized = query.add_columns(SIZES.c.sz).join(SIZES, SIZES.c.id == passages.c.id)
        found = [(row, _terms(sizes)) for row, sizes in connection.execute(sized)]
    else:
        lengths: ColumnElement[int] = literal_column("coalesce(passages.terms_length, 0)")
        found = [(row, length) for row, length in connection.execute(query.add_columns(lengths))]
    rows = np.fromiter((row for row, _ in found), dtype=np.int64, count=len(found))
    return Seen(rows, np.fromiter((length for _, length in found), dtype=np.float64, count=len(found)))


def _terms(sizes: bytes) -> int:
    """The sum of SQLite's varints: terms of the heading and of the body (sqlite.org/fts5.html, docsize)."""
    total = value = 0
    for byte in sizes:
        value = value << 7 | byte & 127
        if byte < 128:
            total, value = total + value, 0
    return total


def search(connection: Connection, terms: Iterable[str], *, seen: Seen, k: int, among: Any) -> list[tuple[int, float]]:
    """Visible rows with their BM25 score, best first; at most k. `among` restricts the rows, not what counts.

    The same formula as FTS5's bm25(), over the visible passages alone.
    """
    total = len(seen.rows)
    if not total:
        return []
    use_terms(connection)
    connection.execute(_INSTANCES)
    slope = K1 * B / max(float(seen.lengths.mean()), 1e-9)
    norms = K1 * (1 - B) + slope * seen.lengths
    scores = np.zeros(total)
    matched = np.zeros(total, bool)
    for at, frequency in _frequencies(connection, list(dict.fromkeys(terms)), seen):
        idf = max(1e-6, math.log((total - len(at) + 0.5) / (len(at) + 0.5)))
        scores[at] += idf * (K1 + 1) * frequency / (frequency + norms[at])
        matched[at] = True
    found = np.flatnonzero(matched)
    if among is not None:
        found = found[np.isin(seen.rows[found], among)]
    best = found[np.lexsort((found, -scores[found]))[:k]]
    return [(int(seen.rows[at]), float(scores[at])) for at in best]


def _frequencies(connection: Connection, terms: Sequence[str], seen: Seen) -> list[tuple[Any, Any]]:
    """For each telling term the positions of the visible passages that hold it, and its weighted occurrences."""
    total = len(seen.rows)
    most = COMMON * total if total > textsearch.SMALL else total
    counts = {term: n for term, n in connection.execute(_COUNTS, {"terms": list(terms)})} if terms else {}
    every = connection.execute(select(func.count()).select_from(passages)).scalar_one()
    # what so many passages hold must be common among the visible ones too, and need not be walked through
    walked = {term: n for term, n in counts.items() if n - (every - total) <= most}
    found = {term: _visible(connection, term, seen) for term in terms if term in walked}
    telling = [pair for pair in found.values() if 0 < len(pair[0]) <= most]
    if telling or total <= textsearch.SMALL:
        return telling
    return [_visible(connection, term, seen) for term in terms if term in counts]


def _visible(connection: Connection, term: str, seen: Seen) -> tuple[Any, Any]:
    rows = connection.execute(_FREQUENCIES, {"term": term}).all()
    docs = np.fromiter((row for row, _ in rows), dtype=np.int64, count=len(rows))
    weights = np.fromiter((weight for _, weight in rows), dtype=np.float64, count=len(rows))
    at = np.searchsorted(seen.rows, docs)
    inside = at < len(seen.rows)
    inside[inside] = seen.rows[at[inside]] == docs[inside]
    return at[inside], weights[inside]
