"""A key sees exactly what it would see if all that it may not see did not exist, on both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from gatewheel.embeddings import exact, grants, textsearch
from gatewheel.embeddings.grants import Rules
from gatewheel.embeddings.search import PassageSearch
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel.store.schema import documents, files, meta, passages, vectors
from ingesting import Project
from storing import ANALYSER, HashEncoder, encode, entry

WORDS = ["valve", "pumps", "Wasser", "東京", "salary", "secret"]
GROUPS = ["hr", "legal", "board"]
FILTERS = ["", "not path=a", "path=a or path=b", "path!=a or not title=x", "meta.groups=hr", "page=1 or not page=1"]
BODIES = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=4)
FIELD = st.one_of(
    st.just(None),
    st.lists(st.sampled_from(GROUPS), max_size=2),
    st.lists(st.sampled_from(GROUPS), max_size=2).map(", ".join),
    st.just("{not a name}"),
)
DOCUMENTS = st.dictionaries(st.sampled_from(list("abcdefg")), st.tuples(BODIES, FIELD), min_size=1, max_size=7)
KEYS = st.frozensets(st.sampled_from([*GROUPS, "other"]), max_size=2)
QUESTIONS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
RULES = Rules("1", lambda source: {"board"} if source in ("c", "d") else set())


class Store:
    """A store with an exact index, filled anew for every example."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.encoder = engine, folder, HashEncoder()
        self.store = PassageStore(engine, analyser=ANALYSER, encoder_id="hash", rules=RULES)
        self.search = PassageSearch(engine, analyser=ANALYSER, open_index=self.open_index)

    def open_index(self) -> Any:
        index = exact.create(exact.Settings(), folder=self.folder / "index", dimensions=8)
        index.update(revision=self.store.revision(), alive=self.store.rows(), vectors=self.store.vectors)
        return index

    def fill(self, held: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            textsearch.clear(connection)
            for table in (passages, documents, files, vectors):
                connection.execute(delete(table))
            connection.execute(delete(meta).where(meta.c.key == "rules"))
        for source, (bodies, field) in held.items():
            self.save(source, bodies, {} if field is None else {"groups": field})

    def save(self, source: str, bodies: list[str], about: dict[str, Any]) -> None:
        file_id = self.store.open_file(source, size=1, mtime_ns=1, recipe="r", named=False)
        made = entry(source, bodies, heading="Top salary", page=1, title=f"{source} title", meta=about)
        encode(self.store, self.encoder, [made])
        self.store.write([(file_id, made)])
        self.store.close_file(source, sha256="s", keep={source})


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Store:
    return Store(engine, tmp_path)


def may_see(source: str, field: Any, groups: frozenset[str]) -> bool:
    """The rule in plain words: open, or one of its groups is the key's."""
    named = set(field.split(", ")) - {""} if isinstance(field, str) else set(field or ())
    named |= set(RULES.of(source))
    return not named or bool(named & groups)


def everything(view: PassageSearch, question: str, where: str, encoder: HashEncoder) -> dict[str, Any]:
    """All that can be had from a view, scores among it."""
    terms = view.by_terms(question, k=50, where=where)
    nearest = view.by_vector(encoder.encode([question])[0], k=50, where=where)
    total, listed = view.documents(limit=50)
    return {
        "terms": dict(terms),
        "scores": [score for _, score in terms],
        "few": [score for _, score in view.by_terms(question, k=2, where=where)],
        "vectors": dict(nearest),
        "fetched": view.fetch(sorted({row for row, _ in terms + nearest})),
        "listed": (total, [(row.source, row.passages, row.characters) for row in listed]),
        "sought": view.documents(text="A TITLE")[0],
        "totals": view.totals(),
        "documents": {source: view.document(source) for source in "abcdefg"},
        "passages": {source: view.passages_of(source) for source in "abcdefg"},
    }


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in ("terms", "scores", "few", "vectors"):
        assert found[name] == pytest.approx(expected[name], rel=1e-6), name
    for name in found.keys() - {"terms", "scores", "few", "vectors"}:
        assert found[name] == expected[name], name


@pytest.mark.parametrize("small", [1_000, 3])  # above so many passages common words are left out
def test_a_key_sees_what_the_owner_would_if_the_rest_were_deleted(
    store: Store, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textsearch, "SMALL", small)

    @given(held=DOCUMENTS, groups=KEYS, question=QUESTIONS, where=st.sampled_from(FILTERS))
    @settings(max_examples=35, suppress_health_check=list(HealthCheck))
    def check(held: dict[str, Any], groups: frozenset[str], question: str, where: str) -> None:
        store.fill(held)
        found = everything(store.search.seen_by(groups), question, where, store.encoder)
        allowed = {source for source, (_, field) in held.items() if may_see(source, field, groups)}
        assert {name for name, document in found["documents"].items() if document} == allowed
        assert {passage.source for passage in found["fetched"].values()} <= allowed
        every = [row for source in "abcdefg" for row in rows_of(store.engine, source)]
        assert {p.source for p in store.search.seen_by(groups).fetch(every).values()} == allowed
        for source in held.keys() - allowed:
            store.store.remove_file(source)
        assert_same(found, everything(store.search, question, where, store.encoder))

    check()


def rows_of(engine: Engine, source: str) -> list[int]:
    with engine.connect() as connection:
        query = select(passages.c.id).join(documents).where(documents.c.source == source)
        return list(connection.execute(query).scalars())


def test_a_document_is_never_open_for_a_moment(store: Store) -> None:
    """A key asks between all steps of an ingestion, in which the document is written, closed and written again."""
    key = store.search.seen_by(frozenset())
    for bodies in (["salary one"], ["salary two", "salary"]):
        store.save("x", bodies, {"groups": "hr"})
        assert key.by_terms("salary", k=9) == []
        assert key.totals() == (0, 0)
    assert store.search.seen_by(frozenset({"hr"})).totals() == (1, 2)


def test_new_rules_take_effect_at_once_and_nothing_is_encoded_again(store: Store) -> None:
    store.save("hr/pay.jsonl", ["salary"], {})
    store.save("b", ["salary of the board"], {"groups": ["board"]})
    key, board = store.search.seen_by(frozenset({"hr"})), store.search.seen_by(frozenset({"board"}))
    vector = store.encoder.encode(["salary"])[0]
    assert (key.totals(), board.totals()) == ((1, 1), (2, 2))
    assert len(board.by_vector(vector, k=9)) == 2
    store.encoder.encoded.clear()
    rules = Rules("2", lambda source: {"hr"} if source.startswith("hr/") else set())
    assert grants.bring_up(store.engine, rules)
    assert not grants.bring_up(store.engine, rules)
    assert (key.totals(), board.totals()) == ((1, 1), (1, 1))
    assert len(board.by_vector(vector, k=9)) == len(board.by_terms("salary", k=9)) == 1
    assert grants.bring_up(store.engine, Rules())
    assert (key.totals(), board.totals()) == ((1, 1), (2, 2))
    assert store.encoder.encoded == []


def test_a_rule_for_a_file_takes_its_records(store: Store) -> None:
    rules = Rules("r", lambda source: {"hr"} if source == "people.jsonl" else set())
    writer = PassageStore(store.engine, analyser=ANALYSER, encoder_id="hash", rules=rules)
    file_id = writer.open_file("people.jsonl", size=1, mtime_ns=1, recipe="r", named=False)
    writer.write([(file_id, entry("people.jsonl#1", ["salary"]))])
    assert store.search.seen_by(frozenset({"legal"})).totals() == (0, 0)
    assert store.search.seen_by(frozenset({"hr"})).totals() == (1, 1)


def test_a_list_shows_only_groups_of_the_key_and_a_view_of_a_view_sees_no_more(store: Store) -> None:
    store.save("a", ["valve"], {"groups": "hr, board"})
    listed = store.search.seen_by(frozenset({"hr"})).documents()[1]
    assert [row.groups for row in listed] == [("hr",)]
    assert store.search.documents()[1][0].groups == ("board", "hr")
    assert store.search.seen_by(frozenset({"hr"})).seen_by(frozenset({"board"})).totals() == (0, 0)


@pytest.mark.parametrize("text", ["%", "_", "/", "100%", "\0", "é" * 3000, "\\"])
def test_a_list_is_sought_literally(store: Store, text: str) -> None:
    store.save("a", ["valve"], {})
    assert store.search.documents(text=text)[0] == 0
    assert store.search.document(text) is None
    assert store.search.passages_of(text) == []
    assert store.search.documents(text="", offset=1)[1] == []
    assert store.search.documents(text="", limit=0) == (1, [])


def test_groups_that_change_in_a_file_encode_nothing(engine: Engine, tmp_path: Path) -> None:
    folder = Project(tmp_path, engine)
    seen = {}
    for group in ("hr", "legal"):
        folder.write("a.md", f"---\ngroups: [{group}]\n---\n# Pay\n\nThe salary of Ada is high.\n")
        assert folder.ingest().documents == 1
        seen[group] = [folder.search.seen_by(frozenset({each})).totals() for each in ("hr", "legal", "")]
    assert seen == {"hr": [(1, 1), (0, 0), (0, 0)], "legal": [(0, 0), (1, 1), (0, 0)]}
    assert folder.encoder.texts == []  # of the last time


@pytest.mark.parametrize("jsonl", [{}, {"meta_fields": ["id"]}])
def test_groups_of_a_record_are_read_whatever_else_is_left_out(
    engine: Engine, tmp_path: Path, jsonl: dict[str, Any]
) -> None:
    folder = Project(tmp_path, engine, jsonl=jsonl)
    many = [f"a group with a long name {number}" for number in range(20)]
    records = [
        {"id": 1, "text": "Salary.", "groups": many},
        {"id": 2, "text": "Kettle."},
        {"id": 3, "text": "x", "groups": {}},
    ]
    folder.write("a.jsonl", "\n".join(map(json.dumps, records)))
    folder.write("b.md", "---\ngroups:\n  only: hr\n---\n# Nested\n\nwords\n")
    folder.ingest()
    sources = [row.source for row in folder.search.seen_by(frozenset({many[7]})).documents()[1]]
    assert sources == ["a.jsonl#1", "a.jsonl#2"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("hr", ["hr"]),
        (" hr , legal ", ["hr", "legal"]),
        (["hr", "hr"], ["hr"]),
        (7, ["7"]),
        ('{"only": "hr"}', [grants.NOBODY]),
        (["hr", ["board"]], [grants.NOBODY]),
        ("x" * 65, [grants.NOBODY]),
    ],
)
def test_a_field_that_cannot_be_understood_closes_the_document(field: Any, expected: list[str]) -> None:
    assert grants.groups_of("a", "a", {"groups": field}, Rules()) == expected
