"""BM25 over the terms of passages: FTS5 on SQLite, a tsvector scored with the same formula on PostgreSQL.

Both use k1 = 1.2 and b = 0.75 (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework"). An occurrence in
the heading counts HEADING_WEIGHT times one in the body; the length of a passage is that of both together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Select,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    text,
)

from gatewheel.embeddings.analyse import Analyser
from gatewheel.kernel.store.schema import documents, passages

K1, B = 1.2, 0.75
HEADING_WEIGHT = 2.0  # a term in the body weighs 1; of 0.25 to 4 the best: nDCG@10 .815 against .791 at 0.5
COMMON = 0.25  # a term in more of the passages than this says nothing; dropping it makes a query 10x cheaper
SMALL = 1_000  # below this many passages every term is cheap
CANDIDATES = 200  # PostgreSQL scores so many and 4 k matches exactly, the best by a rough score
LEADING = 32  # of a question's terms, the rarest, make the rough score
MOST_PLACES = 255  # a tsvector holds no more occurrences of a term


@dataclass(frozen=True, slots=True)
class Visible:
    """What some may see: a condition on documents, how many passages it lets through, their mean length in terms."""

    condition: ColumnElement[bool]
    passages: int
    length: float


def add(connection: Connection, rows: Sequence[tuple[int, str, str]], analyser: Analyser) -> None:
    """Index (row, heading, body) triples."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        sql = "INSERT INTO passages_fts(rowid, heading, body) VALUES (:row, :heading, :body)"
        values = [{"row": row, "heading": analyser.line(h), "body": analyser.line(b)} for row, h, b in rows]
    else:
        sql = "UPDATE passages SET terms = CAST(:terms AS tsvector), terms_length = :length WHERE id = :row"
        values = [{"row": row, **_vector(analyser.terms(h), analyser.terms(b))} for row, h, b in rows]
    connection.execute(text(sql), values)


def _vector(heading: Sequence[str], body: Sequence[str]) -> dict[str, Any]:
    """Terms as a tsvector literal; the n-th occurrence stands at place n, so that none is lost in a long passage.

    to_tsvector would cut the terms again, by the rules of the server's language.
    """
    above, below = Counter(heading), Counter(body)
    entries = []
    for term in above.keys() | below.keys():
        marks = ("A" * below[term] + "B" * above[term])[:MOST_PLACES]
        entries.append(f"'{term}':" + ",".join(f"{place}{mark}" for place, mark in enumerate(marks, start=1)))
    return {"terms": " ".join(entries), "length": len(heading) + len(body)}


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
    postgresql = "UPDATE passages SET terms = NULL, terms_length = NULL"
    connection.execute(text(sqlite if connection.dialect.name == "sqlite" else postgresql))


def search(
    connection: Connection,
    terms: Iterable[str],
    *,
    k: int,
    where: ColumnElement[bool] | None,
    visible: Visible | None = None,
) -> list[tuple[int, float]]:
    """Rows of passages with their BM25 score, best first; at most k.

    `visible` restricts the rows too, and on PostgreSQL what counts for the scores; for SQLite see seen.py.
    """
    wanted = list(dict.fromkeys(terms))
    if not wanted:
        return []
    if visible is not None:
        where = visible.condition if where is None else and_(visible.condition, where)
    if connection.dialect.name == "sqlite":
        return _sqlite(connection, wanted, k, where)
    return _postgresql(connection, wanted, k, where, visible)


def _sqlite(
    connection: Connection, terms: list[str], k: int, where: ColumnElement[bool] | None
) -> list[tuple[int, float]]:
    # not the largest row number, which never falls when passages go: dropping common terms would lose its measure
    total = connection.execute(select(func.count()).select_from(passages)).scalar_one()
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


def use_terms(connection: Connection) -> None:
    """Open the list of terms of an SQLite store with the number of passages that hold each."""
    connection.execute(
        text("CREATE VIRTUAL TABLE IF NOT EXISTS temp.passages_terms USING fts5vocab(main, passages_fts, row)")
    )


def _rare(connection: Connection, terms: list[str], total: int) -> list[str]:
    use_terms(connection)
    statement = text("SELECT term, doc FROM temp.passages_terms WHERE term IN :terms").bindparams(
        bindparam("terms", expanding=True)
    )
    counts = {term: doc for term, doc in connection.execute(statement, {"terms": terms})}
    # a term that stands nowhere must not stand in for those that do
    return [term for term in terms if 0 < counts.get(term, 0) <= COMMON * total] or terms


def _postgresql(
    connection: Connection,
    terms: list[str],
    k: int,
    where: ColumnElement[bool] | None,
    visible: Visible | None,
) -> list[tuple[int, float]]:
    if visible is None:
        lengths = text("SELECT count(terms_length), avg(terms_length) FROM passages")
        total, average = connection.execute(lengths).one()
    else:
        total, average = visible.passages, visible.length
    frequent = COMMON * total if total > SMALL else total
    counts = _counts(connection, terms, most=int(frequent) + 1, visible=visible)
    rare = {term: n for term, n in counts.items() if n <= frequent} or _counts(
        connection, terms, most=total, visible=visible
    )
    # the same as FTS5's, never negative
    idf = {term: max(1e-6, math.log((max(0, total - n) + 0.5) / (n + 0.5))) for term, n in rare.items()}
    if not idf:
        return []
    slope = K1 * B / float(average or 1)
    values: dict[str, Any] = {"k1": K1, "floor": K1 * (1 - B), "slope": slope, "heading": HEADING_WEIGHT}
    values["top"] = max(1.0, HEADING_WEIGHT)  # ts_rank takes no weight above 1
    rows = _candidates(connection, idf, values, limit=CANDIDATES + 4 * k, where=where)
    values |= {"terms": list(idf), "idf": list(idf.values()), "rows": rows, "k": k}
    return [(int(row), float(score)) for row, score in connection.execute(text(_BM25), values)]


def _counts(connection: Connection, terms: Sequence[str], *, most: int, visible: Visible | None) -> dict[str, int]:
    """In how many passages each term stands, those in none left out. Stops counting at `most`."""
    holding = select(passages.c.id).where(text("passages.terms @@ quote_literal(term)::tsquery"))
    found = _only(holding, visible.condition if visible else None).limit(most).subquery("found")
    count = select(func.count()).select_from(found).scalar_subquery()
    counted = select(literal_column("term"), count).select_from(text("unnest(CAST(:terms AS text[])) AS term"))
    return {term: n for term, n in connection.execute(counted, {"terms": list(terms)}) if n}


def _only(statement: Select[Any], condition: ColumnElement[bool] | None) -> Select[Any]:
    """Passages whose documents meet the condition; without one no table is joined."""
    return statement if condition is None else statement.join(documents).where(condition)


# ts_rank of one term grows with its occurrences and levels off, much as BM25 does, and is computed without unnesting.
_ROUGH = """(
    SELECT sum(idf * ts_rank(CAST(ARRAY[0, 0, :heading / :top, 1 / :top] AS float4[]), passages.terms, term))
    FROM unnest(CAST(CAST(:terms AS text[]) AS tsquery[]), CAST(:idf AS float8[])) AS asked(term, idf)
) / (1 + :floor + :slope * passages.terms_length) DESC"""
_BM25 = """
    SELECT id, sum(idf * (:k1 + 1) * f / (f + :floor + :slope * terms_length)) AS score
    FROM passages
    CROSS JOIN LATERAL unnest(terms) AS held(lexeme, positions, weights)
    JOIN unnest(CAST(:terms AS text[]), CAST(:idf AS float8[])) AS asked(term, idf) ON term = lexeme
    CROSS JOIN LATERAL (
        SELECT sum(CASE WHEN weight = 'B' THEN :heading ELSE 1 END) AS f FROM unnest(weights) AS weight
    ) AS frequency
    WHERE id = ANY(:rows)
    GROUP BY id
    ORDER BY score DESC, id
    LIMIT :k"""


def _candidates(
    connection: Connection,
    idf: Mapping[str, float],
    values: Mapping[str, Any],
    *,
    limit: int,
    where: ColumnElement[bool] | None,
) -> list[int]:
    """The rows that may be among the best."""
    leading = sorted(idf, key=lambda term: -idf[term])[:LEADING]
    statement = (
        select(passages.c.id)
        .where(text("passages.terms @@ CAST(:query AS tsquery)"))
        .order_by(text(_ROUGH), passages.c.id)
        .limit(limit)
    )
    statement = _only(statement, where)
    quoted = [f"'{term}'" for term in leading]
    asked = {"query": " | ".join(quoted), "terms": quoted, "idf": [idf[term] for term in leading]}
    return list(connection.execute(statement, {**values, **asked}).scalars())
