"""Fusion is the formula of its paper; every retriever keeps to k and to the filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gatewheel.embeddings import none, openvino
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.search import PassageSearch
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel import catalog
from gatewheel.kernel.nouns import Document, Passage
from gatewheel.kernel.ports import Entry
from gatewheel.kernel.store.database import open_database
from gatewheel.retrieval import bm25, dense, hybrid

TEXTS = [
    "The gate decides whether a variant may be released.",
    "A variant is a complete recipe for answering.",
    "Bread is baked from flour, water and salt.",
    "The oven must be hot before the loaf goes in.",
    "Trains to the north leave at six in the morning.",
    "The railway timetable changes in December.",
    "A gate in the garden wall leads to the river.",
    "Answers cite the exact words of a document.",
]
RANKING = st.lists(st.integers(1, 12), unique=True, max_size=8).flatmap(
    lambda rows: st.lists(st.floats(-1, 30), min_size=len(rows), max_size=len(rows)).map(
        lambda scores: list(zip(rows, sorted(scores, reverse=True), strict=True))
    )
)


def test_reciprocal_ranks_by_hand() -> None:
    rankings = {"bm25": [(1, 9.0), (2, 8.0)], "dense": [(2, 0.5), (3, 0.4)]}
    fused = hybrid.fuse(rankings, hybrid.Settings(fusion="rrf"))
    assert fused == pytest.approx({1: 1 / 61, 2: 1 / 62 + 1 / 61, 3: 1 / 62})
    tilted = hybrid.fuse(rankings, hybrid.Settings(fusion="rrf", dense_weight=0.75))
    assert tilted == pytest.approx({1: 0.5 / 61, 2: 0.5 / 62 + 1.5 / 61, 3: 1.5 / 62})


def test_scaled_scores_by_hand() -> None:
    rankings = {"bm25": [(1, 9.0), (2, 8.0), (4, 5.0)], "dense": [(2, 0.5), (3, 0.4)]}
    fused = hybrid.fuse(rankings, hybrid.Settings(fusion="minmax"))
    assert fused == pytest.approx({1: 1.0, 2: 0.75 + 1.0, 4: 0.0, 3: 0.0})
    assert hybrid.fuse({"bm25": [(1, 3.0)], "dense": []}, hybrid.Settings(fusion="minmax")) == {1: 1.0}


@given(first=RANKING, second=RANKING, fusion=st.sampled_from(["rrf", "minmax"]), weight=st.floats(0, 1))
def test_every_row_is_fused_and_a_row_ahead_in_both_stays_ahead(
    first: Any, second: Any, fusion: Any, weight: float
) -> None:
    fused = hybrid.fuse({"bm25": first, "dense": second}, hybrid.Settings(fusion=fusion, dense_weight=weight))
    assert fused.keys() == dict(first).keys() | dict(second).keys()
    places = [{row: at for at, (row, _) in enumerate(ranking)} for ranking in (first, second)]
    for a in fused:
        for b in fused:
            if all(a in place and b in place and place[a] < place[b] for place in places):
                assert fused[a] >= fused[b]


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PassageSearch, Any]]:
    folder: Path = tmp_path_factory.mktemp("store")
    engine = open_database(folder)
    encoder = openvino.create(openvino.Settings())
    store = PassageStore(engine, analyser=Analyser(), encoder_id=encoder.id)
    file_id = store.open_file("all", size=1, mtime_ns=1, recipe="", named=False)
    keys = [f"{number:032}" for number in range(len(TEXTS))]
    store.add_vectors(keys, encoder.encode(TEXTS))
    for number, (text, key) in enumerate(zip(TEXTS, keys, strict=True)):
        source = f"{'guide' if number % 2 else 'notes'}/{number}.md"
        language = "en" if number < 5 else "de"
        passage = Passage(id=str(number), source=source, span=(0, len(text)), text=text)
        document = Document(source=source, text=text, format="markdown", language=language)
        entry = Entry(document=document, sha256="s", passages=(passage,), contexts=(text,), keys=(key,))
        store.write([(file_id, entry)])

    def open_index() -> Any:
        module = catalog.load("index", "exact")
        index = module.create(module.Settings(), folder=folder / "index", dimensions=encoder.dimensions)
        index.update(revision=store.revision(), alive=store.rows(), vectors=store.vectors)
        return index

    yield PassageSearch(engine, analyser=store.analyser, open_index=open_index), encoder
    engine.dispose()


def made(name: str, parts: tuple[PassageSearch, Any], **said: Any) -> Any:
    module = catalog.load("retriever", name)
    return module.create(module.Settings(**said), passages=parts[0], encoder=parts[1])


def ids(hits: list[Any]) -> list[str]:
    return [hit.passage.id for hit in hits]


@pytest.mark.parametrize("fusion", ["rrf", "minmax"])
@pytest.mark.parametrize("question", ["when may a variant be released", "baking bread", "trains", "garden gate"])
def test_a_weight_of_0_or_1_is_one_ranking_alone(passages: Any, fusion: str, question: str) -> None:
    words = made("bm25", passages).retrieve(question, k=5)
    meaning = made("dense", passages).retrieve(question, k=5)
    assert ids(made("hybrid", passages, fusion=fusion, dense_weight=0).retrieve(question, k=5)) == ids(words)
    assert ids(made("hybrid", passages, fusion=fusion, dense_weight=1).retrieve(question, k=5)) == ids(meaning)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_without_an_encoder_it_is_bm25(passages: Any, weight: float) -> None:
    bare = (passages[0], none.create(none.Settings()))
    for question in ("variant gate", "the oven"):
        hits = made("hybrid", bare, dense_weight=weight).retrieve(question, k=4)
        assert ids(hits) == ids(made("bm25", bare).retrieve(question, k=4))
        assert all(hit.similarity == 0 and list(hit.ranks) == ["bm25"] for hit in hits)


def test_hits_say_where_each_retriever_had_them(passages: Any) -> None:
    hits = made("hybrid", passages, fusion="rrf").retrieve("What does a gate decide about a variant?", k=8)
    assert ids(hits)[0] == "0"
    words = ids(made("bm25", passages).retrieve("What does a gate decide about a variant?", k=50))
    meaning = made("dense", passages).retrieve("What does a gate decide about a variant?", k=50)
    for hit in hits:
        expected = {"dense": ids(meaning).index(hit.passage.id) + 1}
        if hit.passage.id in words:
            expected["bm25"] = words.index(hit.passage.id) + 1
        assert hit.ranks == expected
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in hit.ranks.values()))
        assert hit.similarity == pytest.approx(meaning[hit.ranks["dense"] - 1].score)
    assert np.all(np.diff([hit.score for hit in hits]) <= 0)


def test_k_and_the_filter_hold_for_every_retriever(passages: Any) -> None:
    filters = {
        "": lambda _: True,
        "path~=guide/": lambda passage: passage.source.startswith("guide/"),
        "lang=de": lambda passage: int(passage.id) >= 5,
        "not lang=de and path~=notes": lambda passage: int(passage.id) < 5 and passage.source.startswith("notes/"),
        "path=nowhere": lambda _: False,
    }
    retrievers = [made("bm25", passages), made("dense", passages)]
    retrievers += [made("hybrid", passages, fusion=fusion, depth=2) for fusion in ("rrf", "minmax")]

    @examples(max_examples=25)
    @given(
        question=st.lists(st.sampled_from(" ".join(TEXTS).split()), min_size=1, max_size=4).map(" ".join),
        k=st.integers(1, 10),
        filter_=st.sampled_from(list(filters)),
    )
    def check(question: str, k: int, filter_: str) -> None:
        for retriever in retrievers:
            hits = retriever.retrieve(question, k=k, where=filter_)
            assert len(hits) <= k
            assert len(set(ids(hits))) == len(hits)
            assert all(filters[filter_](hit.passage) for hit in hits)
            if filter_ == "" and not isinstance(retriever, bm25.Bm25):
                assert len(hits) == min(k, len(TEXTS))

    check()
    assert isinstance(retrievers[1], dense.Dense)
