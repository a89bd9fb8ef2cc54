"""Hit, recall, MRR, nDCG and MAP against trec_eval through ir-measures, and against their definitions."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import answer, case, hits
from gatewheel.kernel import catalog

NAMES = ("hit", "recall", "mrr", "ndcg", "map")
SOURCES = [f"doc-{at}.md" for at in range(12)]
QUERIES = st.tuples(st.lists(st.sampled_from(SOURCES), max_size=20), st.sets(st.sampled_from(SOURCES), min_size=1))


@cache
def made(name: str, k: int = 10) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(k=k))


def scored(name: str, found: list[str], right: set[str], k: int) -> float:
    return float(made(name, k).score(case(sources=tuple(sorted(right))), answer("", passages=hits(*found))))


def defined(name: str, found: list[str], right: set[str], k: int) -> float:
    """The definitions, for sources that are right or not."""
    first = list(dict.fromkeys(found))[:k]
    gains = [float(source in right) for source in first]
    places = [at for at, gain in enumerate(gains, start=1) if gain]
    if name == "hit":
        return float(bool(places))
    if name == "recall":
        return len(places) / len(right)
    if name == "mrr":
        return 1 / places[0] if places else 0.0
    if name == "map":
        return sum(nth / at for nth, at in enumerate(places, start=1)) / len(right)
    ideal = sum(1 / math.log2(at + 1) for at in range(1, min(k, len(right)) + 1))
    return sum(1 / math.log2(at + 1) for at in places) / ideal


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200, deadline=None)
@given(query=QUERIES, k=st.sampled_from([1, 3, 10, 1_000]))
def test_it_equals_the_definition(name: str, query: tuple[list[str], set[str]], k: int) -> None:
    found, right = query
    assert scored(name, found, right, k) == pytest.approx(defined(name, found, right, k), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(queries=st.lists(QUERIES, min_size=1, max_size=6), k=st.sampled_from([1, 3, 10]))
def test_the_figures_equal_a_whole_run_through_trec_eval(queries: list[tuple[list[str], set[str]]], k: int) -> None:
    import ir_measures
    from ir_measures import AP, RR, R, Success, nDCG

    judged = {str(at): dict.fromkeys(right, 1) for at, (_, right) in enumerate(queries)}
    run = {
        str(at): {source: float(100 - rank) for rank, source in enumerate(dict.fromkeys(found))}
        for at, (found, _) in enumerate(queries)
    }
    measures = {"hit": Success @ k, "recall": R @ k, "mrr": RR @ k, "ndcg": nDCG @ k, "map": AP @ k}
    wanted = ir_measures.calc_aggregate(list(measures.values()), judged, run)
    for name, measure in measures.items():
        rows = np.array([[scored(name, found, right, k)] for found, right in queries])
        assert made(name, k).figure(rows) == pytest.approx(wanted[measure], abs=1e-6)


def test_hand_checked_figures() -> None:
    found, right = ["x", "a", "a", "y", "b"], {"a", "b", "never found"}  # places 2 and 4 once "a" stands once
    wanted = {"hit": 1, "recall": 2 / 3, "mrr": 1 / 2, "map": (1 / 2 + 2 / 4) / 3}
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    wanted["ndcg"] = (1 / math.log2(3) + 1 / math.log2(5)) / ideal
    for name, figure in wanted.items():
        assert scored(name, found, right, 10) == pytest.approx(figure, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_apply_and_what_is_empty(name: str) -> None:
    assert made(name).score(case(), answer("", passages=hits("a"))) is None
    assert scored(name, [], {"a"}, 10) == 0
    assert scored(name, ["b"], {"a"}, 10) == 0
    assert scored(name, ["a"], {"a"}, 10) == 1
    assert scored(name, ["b", "a"], {"a"}, 1) == 0
    assert scored(name, ["a"], {"a", "b"}, 1) == (1 if name in ("hit", "mrr", "ndcg") else 0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", ["", "a b.md", "nul\x00.md", "\ud800.md", "東京.md", "x" * 5_000])
def test_a_source_may_have_any_name(name: str, source: str) -> None:
    assert scored(name, [source, "b"], {source}, 10) == 1
    assert scored(name, ["b"], {source}, 10) == 0
