"""BM25 finds the rare word first, forgets what was removed, and says the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text

from gatewheel.embeddings import textsearch, where
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.search import PassageSearch
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.schema import passages
from storing import entry

ENGLISH = Analyser("english")
CORPUS = {
    "valves": ("Water", ["Close the valve before the pump runs.", "A valve leaks when the seal is old."]),
    "pumps": ("Water > Pumps", ["The pump moves water.", "Pump, pump and pump again: the pump runs hot."]),
    "names": ("", ["Error CVE-2024-1234 was fixed in v1.2.3.", "Call getUserName() of the HTTPServer."]),
    "cities": ("東京", ["東京は日本の首都です", "Le café de l'Opéra est fermé."]),
    "long": ("Valve", ["The seal of the pump. " * 40 + "valve", "water " * 300]),
}


def store_of(engine: Engine, analyser: Analyser = ENGLISH) -> PassageStore:
    return PassageStore(engine, analyser=analyser, encoder_id="none")


def fill(engine: Engine, corpus: dict[str, tuple[str, list[str]]] = CORPUS) -> PassageStore:
    store = store_of(engine)
    store.use_terms_of(ENGLISH)
    for source, (heading, bodies) in corpus.items():
        file_id = store.open_file(source, size=1, mtime_ns=1, recipe="", named=False)
        store.write([(file_id, entry(source, bodies, heading=heading))])
        store.close_file(source, sha256="s", keep={source})
    return store


def found(engine: Engine, question: str, *, k: int = 10, filter_: str = "", analyser: Analyser = ENGLISH) -> list[str]:
    """Beginnings of the passages, best first."""
    clause = where.parse(filter_) if filter_ else None
    with engine.connect() as connection:
        rows = textsearch.search(connection, analyser.terms(question), k=k, where=clause)
        assert [score for _, score in rows] == sorted((score for _, score in rows), reverse=True)
        texts = {row.id: row.text for row in connection.execute(select(passages.c.id, passages.c.text))}
    return [texts[row][:20] for row, _ in rows]


def test_the_rare_word_counts_more_than_the_frequent_one(engine: Engine) -> None:
    fill(engine)
    assert found(engine, "pump leaks")[0] == "A valve leaks when t"
    assert found(engine, "CVE-2024-1234")[0] == "Error CVE-2024-1234 "
    assert found(engine, "user name")[0] == "Call getUserName() o"
    assert found(engine, "東京")[0] == "東京は日本の首都です"
    assert found(engine, "opera cafe") == ["Le café de l'Opéra e"]
    assert found(engine, "nothing like it") == []
    assert found(engine, "?!") == []


def test_at_most_k_and_only_what_the_filter_lets_through(engine: Engine) -> None:
    fill(engine)
    assert len(found(engine, "pump valve water", k=3)) == 3
    assert found(engine, "pump", filter_="path=valves") == ["Close the valve befo"]
    assert found(engine, "pump", filter_="path=nowhere") == []
    assert set(found(engine, "pump", k=1, filter_="not path=pumps and not path=long")) == {"Close the valve befo"}


def test_scores_are_those_of_the_formula(engine: Engine) -> None:
    """Robertson & Zaragoza 2009, with FTS5's idf: ln((N - n + 0.5) / (n + 0.5))."""
    fill(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(passages.c.id, passages.c.heading, passages.c.text)).all()
        scores = dict(textsearch.search(connection, ["valv", "leak"], k=10, where=None))
    terms = {row.id: (ENGLISH.terms(row.heading), ENGLISH.terms(row.text)) for row in rows}
    lengths = {id_: len(heading) + len(body) for id_, (heading, body) in terms.items()}
    mean = sum(lengths.values()) / len(rows)
    expected = {}
    for id_, (heading, body) in terms.items():
        total = 0.0
        for term in ("valv", "leak"):
            n = sum(term in h or term in b for h, b in terms.values())
            idf = math.log((len(rows) - n + 0.5) / (n + 0.5))
            f = body.count(term) + textsearch.HEADING_WEIGHT * heading.count(term)
            total += idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * lengths[id_] / mean)) if f else 0.0
        if total:
            expected[id_] = total
    assert scores == pytest.approx(expected, rel=1e-6)


def test_what_was_removed_or_changed_is_not_found(engine: Engine) -> None:
    store = fill(engine)
    store.remove_file("names")
    assert found(engine, "CVE-2024-1234 getUserName") == []
    changed = entry("pumps", ["The fan moves air."], heading="Air > Fans")
    store.write([(store.files()["pumps"].id, changed)])
    assert "The pump moves water" not in found(engine, "pump")
    assert found(engine, "fan air") == ["The fan moves air."]
    assert found(engine, "pumps", filter_="path=pumps") == []
    for source in ("valves", "cities", "long", "pumps"):
        store.remove_file(source)
    for word in ("valve", "pump", "fan", "air", "東京", "water", "seal", "the"):
        assert found(engine, word) == []
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # nothing is left of the contentless table but its own bookkeeping
            connection.execute(text("INSERT INTO passages_fts(passages_fts) VALUES ('optimize')"))
            connection.execute(text("CREATE VIRTUAL TABLE temp.left_over USING fts5vocab(main, passages_fts, row)"))
            assert connection.execute(text("SELECT term, cnt FROM temp.left_over")).all() == []


def test_the_same_after_the_index_was_made_anew(engine: Engine) -> None:
    store = fill(engine)
    questions = ["pump leaks", "valve", "user name", "東京", "water seal"]
    before = [found(engine, question) for question in questions]
    whole_words = Analyser("none")
    store.use_terms_of(whole_words)
    assert found(engine, "Valves", analyser=whole_words) == []
    assert found(engine, "leaks", analyser=whole_words) == ["A valve leaks when t"]
    store.use_terms_of(ENGLISH)
    assert [found(engine, question) for question in questions] == before
    store.use_terms_of(whole_words)
    store_of(engine, whole_words).remove_file("cities")
    assert found(engine, "東京") == []
    with engine.begin() as connection:
        textsearch.clear(connection)
    assert [found(engine, question) for question in questions] == [[]] * len(questions)


def test_common_terms_are_dropped_unless_there_is_nothing_else(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(engine)
    monkeypatch.setattr(textsearch, "SMALL", 1)
    assert found(engine, "the leaks") == ["A valve leaks when t"]
    assert found(engine, "pump the")
    for _ in range(4):  # row numbers grow, passages do not
        fill(engine)
    assert found(engine, "pump leaks") == ["A valve leaks when t"]


def test_sqlite_and_postgresql_agree(postgresql: object, tmp_path: Path) -> None:
    one, other = open_database(tmp_path), open_database(tmp_path, postgresql())  # type: ignore[operator]
    words = "pump valve water seal runs hot old fan air leak tokyo server error fix the a of in".split()
    import random

    chooser = random.Random(3)
    corpus = {
        f"d{i}": (" ".join(chooser.choices(words, k=2)), [" ".join(chooser.choices(words, k=n)) for n in (5, 20, 60)])
        for i in range(40)
    }
    try:
        for engine in (one, other):
            fill(engine, corpus)
        for _ in range(40):
            terms = ENGLISH.terms(" ".join(chooser.choices(words, k=chooser.randint(1, 5))))
            answers = []
            for engine in (one, other):
                with engine.connect() as connection:
                    answers.append(dict(textsearch.search(connection, terms, k=200, where=None)))
            assert answers[0] == pytest.approx(answers[1])
    finally:
        one.dispose()
        other.dispose()


@pytest.fixture
def search(engine: Engine) -> Iterator[PassageSearch]:
    fill(engine)

    def never() -> object:
        raise AssertionError

    return PassageSearch(engine, analyser=ENGLISH, open_index=never)  # type: ignore[arg-type]


def test_no_question_is_too_strange(search: PassageSearch) -> None:
    @settings(max_examples=150)
    @given(question=st.text(max_size=60))
    @example('"pump" OR NEAR(valve) * ^ heading: {a b} : - + (')
    @example("AND OR NOT NEAR")
    @example("' | & ! <-> \\ :* pump:A")
    @example("\ud800 \0 pump")
    @example(" ".join(f"word{number}" for number in range(3000)))
    def check(question: str) -> None:
        rows = search.by_terms(question, k=5)
        assert len(rows) <= 5
        assert list(search.fetch([row for row, _ in rows])) == [row for row, _ in rows]

    check()
