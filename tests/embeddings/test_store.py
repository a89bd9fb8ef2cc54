"""The store holds exactly what was written, through every order of changes and kill -9, on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, delete

from gatewheel.embeddings import textsearch
from gatewheel.embeddings.search import PassageSearch
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel.ports import Entry
from gatewheel.kernel.store.schema import documents, files, meta, passages, vectors
from storing import ANALYSER, HashEncoder, assert_consistent, encode, entry, key_of, store_of

WORDS = ["valve", "pumps", "Wasser", "東京", "naïve"]


def save(store: PassageStore, encoder: HashEncoder, source: str, entries: list[Entry]) -> int:
    """A file as ingestion writes it."""
    file_id = store.open_file(source, size=1, mtime_ns=1, recipe="r", named=False)
    known = store.known_documents(file_id)
    new = [one for one in entries if known.get(one.document.source) != one.sha256]
    encode(store, encoder, new)
    store.write([(file_id, one) for one in new])
    return store.close_file(source, sha256="s", keep={one.document.source for one in entries})


def wipe(engine: Engine) -> None:
    with engine.begin() as connection:
        textsearch.clear(connection)
        for table in (passages, documents, files, vectors, meta):
            connection.execute(delete(table))


BODIES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), min_size=0, max_size=3, unique=True
)
DOCUMENTS = st.dictionaries(st.sampled_from(["#1", "#2", "#3"]), st.tuples(BODIES, st.sampled_from(["", "Top"])))
SOURCES = st.sampled_from(["a", "b", "c"])


class Files(RuleBasedStateMachine):
    """Files with documents against a dictionary."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        wipe(self.engine)
        self.store = store_of(self.engine)
        self.search = PassageSearch(self.engine, analyser=ANALYSER, open_index=lambda: None)  # type: ignore[arg-type, return-value]
        self.encoder = HashEncoder()
        self.model: dict[str, dict[str, Entry]] = {}
        self.vectors: set[str] = set()
        self.revision = 0

    @rule(source=SOURCES, held=DOCUMENTS)
    def save(self, source: str, held: dict[str, Any]) -> None:
        entries = [entry(source + name, bodies, heading=top) for name, (bodies, top) in held.items()]
        wanted = {key for one in entries for key in one.keys}
        before, self.encoder.encoded = self.vectors, []
        dropped = save(self.store, self.encoder, source, entries)
        assert dropped == len(self.model.get(source, {}).keys() - {one.document.source for one in entries})
        assert {key_of(*text.split("\n", 1)) for text in self.encoder.encoded} == wanted - before
        assert len(self.encoder.encoded) == len(wanted - before)
        self.vectors |= wanted
        self.model[source] = {one.document.source: one for one in entries}

    @rule(source=SOURCES)
    def remove(self, source: str) -> None:
        assert self.store.remove_file(source) == len(self.model.pop(source, {}))

    @precondition(lambda self: "a" in self.model and "b" not in self.model)
    @rule()
    def move(self) -> None:
        moved = [
            entry("b" + name[1:], [p.text for p in one.passages], heading=one.contexts[0].split("\n")[0])
            for name, one in self.model["a"].items()
            if one.passages
        ]
        self.encoder.encoded = []
        save(self.store, self.encoder, "b", moved)
        assert self.encoder.encoded == []
        self.model["b"] = {one.document.source: one for one in moved}

    @rule()
    def tidy(self) -> None:
        used = {key for held in self.model.values() for one in held.values() for key in one.keys}
        assert self.store.tidy() == len(self.vectors - used)
        self.vectors &= used

    @rule(source=SOURCES)
    def touch(self, source: str) -> None:
        self.store.touch_file(source, size=7, mtime_ns=8, named=True)
        if source in self.model:
            assert (self.store.files()[source].size, self.store.files()[source].named) == (7, True)

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        held = {name: one for documents in self.model.values() for name, one in documents.items()}
        total = sum(len(one.passages) for one in held.values())
        assert self.store.totals() == (len(held), total)
        assert {name: state.documents for name, state in self.store.files().items()} == {
            name: len(documents) for name, documents in self.model.items()
        }
        for name, one in held.items():
            document = self.search.document(name)
            assert document == one.document
            found = self.search.passages_of(name)
            assert [passage.text for passage in found] == [passage.text for passage in one.passages]
            assert [document.text[slice(*passage.span)] for passage in found] == [p.text for p in found]
        rows = self.store.rows()
        assert len(rows) == total
        assert (np.diff(rows) > 0).all()

    @invariant()
    def every_word_is_found_where_it_stands(self) -> None:
        for word in WORDS:
            expected = sorted(
                passage.id
                for held in self.model.values()
                for one in held.values()
                for passage in one.passages
                if set(ANALYSER.terms(word)) & set(ANALYSER.terms(passage.text))
            )
            rows = [row for row, _ in self.search.by_terms(word, k=100)]
            assert sorted(passage.id for passage in self.search.fetch(rows).values()) == expected

    @invariant()
    def the_revision_only_grows(self) -> None:
        revision = self.store.revision()
        assert revision >= self.revision
        self.revision = revision

    def teardown(self) -> None:
        assert_consistent(self.engine)


def test_any_order_of_changes_leaves_what_a_dictionary_would_hold(engine: Engine) -> None:
    class Machine(Files):
        pass

    Machine.engine = engine
    run_state_machine_as_test(Machine, settings=settings(max_examples=20, stateful_step_count=10))


def test_vectors_come_in_the_order_of_rows_and_from_where_they_are_asked(engine: Engine) -> None:
    store, encoder = store_of(engine), HashEncoder()
    save(store, encoder, "a", [entry("a", ["one", "two", "one"]), entry("a2", ["three"])])
    rows = store.rows()
    batches = list(store.vectors())
    np.testing.assert_array_equal(np.concatenate([ids for ids, _ in batches]), rows)
    expected = HashEncoder().encode([f"\n{body}" for body in ("one", "two", "one", "three")])
    np.testing.assert_allclose(np.concatenate([some for _, some in batches]), expected, atol=1e-3)
    assert [list(ids) for ids, _ in store.vectors(after=int(rows[1]))] == [list(rows[2:])]
    assert len(encoder.encoded) == 3
    other = store_of(engine, "another")
    assert len(other.rows()) == 0
    assert list(other.vectors()) == []
    assert len(other.missing_vectors([key_of("", "one")])) == 1


def test_every_change_of_passages_is_a_new_revision_and_no_row_comes_back(engine: Engine) -> None:
    store, encoder = store_of(engine), HashEncoder()
    seen: set[int] = set()
    revisions = [store.revision()]
    for bodies in (["one"], ["one", "two"], [], ["one"]):
        save(store, encoder, "a", [entry("a", bodies)])
        revisions.append(store.revision())
        rows = set(store.rows().tolist())
        assert not rows & seen
        seen |= rows
    store.remove_file("a")
    revisions.append(store.revision())
    assert revisions == sorted(set(revisions))
    store.tidy()
    store.touch_file("a", size=1, mtime_ns=1, named=False)
    assert store.revision() == revisions[-1]


def test_vectors_of_another_encoder_leave_once_every_passage_has_one_by_the_present(engine: Engine) -> None:
    entries = [entry("a", ["one", "two"])]
    old = store_of(engine, "old")
    save(old, HashEncoder(), "a", entries)
    new = store_of(engine, "new")
    assert new.tidy() == 0  # an ingestion that was stopped, or an encoder that makes no vectors
    encode(new, HashEncoder(), entries)
    assert new.tidy() == 2
    assert len(new.rows()) == 2
    assert len(old.rows()) == 0


def test_a_write_that_fails_writes_nothing(engine: Engine) -> None:
    store = store_of(engine)
    save(store, HashEncoder(), "a", [entry("a", ["one"])])
    before = store.totals(), store.revision()
    file_id = store.files()["a"].id
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        store.write([(file_id, entry("b", ["two"])), (file_id, entry("b", ["three"]))])
    assert (store.totals(), store.revision()) == before
    assert_consistent(engine)


def test_many_passages_and_documents_at_once(engine: Engine) -> None:
    store = store_of(engine)
    file_id = store.open_file("big", size=1, mtime_ns=1, recipe="", named=False)
    bodies = [f"passage {number}" for number in range(6_000)]
    store.write([(file_id, entry("big#0", bodies))])
    store.write([(file_id, entry(f"big#{number}", ["x"])) for number in range(1, 1_200)])
    assert store.totals() == (1_200, 7_199)
    search = PassageSearch(engine, analyser=ANALYSER, open_index=lambda: None)  # type: ignore[arg-type, return-value]
    assert [passage.text for passage in search.passages_of("big#0")] == bodies
    assert store.remove_file("big") == 1_200
    assert store.totals() == (0, 0)
    assert_consistent(engine)
