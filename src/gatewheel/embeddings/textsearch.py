"""BM25 over the terms of passages: FTS5 on SQLite, tsvector candidates scored here on PostgreSQL.

Both use k1 = 1.2 and b = 0.75 (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework"), heading and body
counted as separate columns with the heading weighted lower on both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Float, bindparam, column, func, select, text

from gatewheel.embeddings.analyse import Analyser
from gatewheel.kernel.store.schema import documents, passages

K1, B = 1.2, 0.75
HEADING_WEIGHT = 0.5  # of a term in the heading; one in the body weighs 1
COMMON = 0.25  # a term in more of the passages than this says nothing; dropping it makes a query 10x cheaper
SMALL = 1_000  # below this many passages every term is cheap
CANDIDATES = 1_000  # PostgreSQL ranks at most so many matches per question


def add(connection: Connection, rows: Sequence[tuple[int, str, str]], analyser: Analyser) -> None:
    """Index (row, heading, body) triples."""
    terms = [{"row": row, "heading": analyser.line(h), "body": analyser.line(b)} for row, h, b in rows]
    if not terms:
        return
    if connection.dialect.name == "sqlite":
        sql = "INSERT INTO passages_fts(rowid, heading, body) VALUES (:row, :heading, :body)"
    else:
        sql = (
            "UPDATE passages SET terms = setweight(to_tsvector('simple', :heading), 'B')"
            " || setweight(to_tsvector('simple', :body), 'A') WHERE id = :row"
        )
    connection.execute(text(sql), terms)


def remove(connection: Connection, rows: Sequence[tuple[int, str, str]], analyser: Analyser) -> None:
    """Take (row, heading, body) triples out. A contentless FTS5 table must be told what it held."""
    if connection.dialect.name != "sqlite" or not rows:
        return
    sql = "INSERT INTO passages_fts(passages_fts, rowid, heading, body) VALUES ('delete', :row, :heading, :body)"
    terms = [{"row": row, "heading": analyser.line(h), "body": analyser.line(b)} for row, h, b in rows]
    connection.execute(text(sql), terms)


def clear(connection: Connection) -> None:
    """Take everything out."""
    sqlite = "INSERT INTO passages_fts(passages_fts) VALUES ('delete-all')"
    connection.execute(text(sqlite if connection.dialect.name == "sqlite" else "UPDATE passages SET terms = NULL"))


def search(
    connection: Connection, terms: Iterable[str], *, k: int, where: ColumnElement[bool] | None
) -> list[tuple[int, float]]:
    """Rows of passages with their BM25 score, best first; at most k."""
    wanted = list(dict.fromkeys(terms))
    if not wanted:
        return []
    if connection.dialect.name == "sqlite":
        return _sqlite(connection, wanted, k, where)
    return _postgresql(connection, wanted, k, where)


def _sqlite(
    connection: Connection, terms: list[str], k: int, where: ColumnElement[bool] | None
) -> list[tuple[int, float]]:
    total = connection.execute(select(func.max(passages.c.id))).scalar() or 0
    if total > SMALL:
        terms = _rare(connection, terms, total)
    query = " OR ".join(f'"{term}"' for term in terms)
    # bm25() is negative in FTS5, best first
    weighted = f"-bm25(passages_fts, {HEADING_WEIGHT}, 1.0)"
    sql = f"SELECT rowid AS row, {weighted} AS score FROM passages_fts WHERE passages_fts MATCH :query"
    values: dict[str, Any] = {"query": query, "k": k}
    if where is None:
        rows = connection.execute(text(f"{sql} ORDER BY score DESC, rowid LIMIT :k"), values)
        return [(int(row), float(score)) for row, score in rows]
    matched = text(sql).columns(column("row", BigInteger), column("score", Float)).subquery("matched")
    row, score = matched.c
    statement = (
        select(row, score)
        .join(passages, passages.c.id == row)
        .join(documents)
        .where(where)
        .order_by(score.desc(), row)
        .limit(k)
    )
    return [(int(r), float(s)) for r, s in connection.execute(statement, values)]


def _rare(connection: Connection, terms: list[str], total: int) -> list[str]:
    connection.execute(
        text("CREATE VIRTUAL TABLE IF NOT EXISTS temp.passages_terms USING fts5vocab(main, passages_fts, row)")
    )
    statement = text("SELECT term, doc FROM temp.passages_terms WHERE term IN :terms").bindparams(
        bindparam("terms", expanding=True)
    )
    counts = {term: doc for term, doc in connection.execute(statement, {"terms": terms})}
    return [term for term in terms if counts.get(term, 0) <= COMMON * total] or terms


def _postgresql(
    connection: Connection, terms: list[str], k: int, where: ColumnElement[bool] | None
) -> list[tuple[int, float]]:
    query = " | ".join(f"'{term}'" for term in terms)
    matches = text("passages.terms @@ CAST(:query AS tsquery)")
    total, average = connection.execute(
        select(func.count(), func.avg(func.length(text("passages.terms")))).select_from(passages)
    ).one()
    counts = {
        term: connection.execute(
            select(func.count()).select_from(passages).where(matches), {"query": f"'{term}'"}
        ).scalar_one()
        for term in terms
    }
    statement = (
        select(passages.c.id, func.length(text("passages.terms")), text("terms::text"))
        .join(documents)
        .where(matches)
        .order_by(text("ts_rank_cd(passages.terms, CAST(:query AS tsquery)) DESC"), passages.c.id)
        .limit(CANDIDATES)
    )
    if where is not None:
        statement = statement.where(where)
    scored = []
    for row, length, vector in connection.execute(statement, {"query": query}):
        frequencies = _frequencies(vector, set(terms))
        score = sum(
            math.log(1 + (total - counts[t] + 0.5) / (counts[t] + 0.5))
            * f
            * (K1 + 1)
            / (f + K1 * (1 - B + B * length / float(average or 1)))
            for t, f in frequencies.items()
        )
        scored.append((int(row), score))
    return sorted(scored, key=lambda item: (-item[1], item[0]))[:k]


def _frequencies(vector: str, wanted: set[str]) -> dict[str, float]:
    out = {}
    for entry in vector.split(" "):
        term, _, places = entry.partition(":")
        if (term := term.strip("'")) in wanted:
            # B marks the heading
            out[term] = sum(HEADING_WEIGHT if place.endswith("B") else 1.0 for place in places.split(","))
    return out
