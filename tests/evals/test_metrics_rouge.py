"""ROUGE against rouge-score, and against its definition written out."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import TEXTS, answer, case, refusal
from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.rouge import Settings, rouge
from gatewheel.kernel import catalog

Kind = Literal["rouge1", "rouge2", "rougeL"]
KINDS: tuple[tuple[str, Kind], ...] = (("rouge-1", "rouge1"), ("rouge-2", "rouge2"), ("rouge-l", "rougeL"))
ASCII = st.lists(st.sampled_from("the gate is shut by two wheels wheel shutting 14".split()), max_size=12)


@cache
def made(kind: Kind, *, stemmer: bool = False, letters: Literal["ascii", "unicode"] = "ascii") -> Mean:
    return rouge(kind, Settings(stemmer=stemmer, letters=letters))


@pytest.mark.parametrize(("name", "kind"), KINDS)
@pytest.mark.parametrize("stemmer", [False, True])
def test_it_equals_the_reference_library(name: str, kind: Kind, stemmer: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    module = catalog.load("metric", name)
    metric = module.create(module.Settings(stemmer=stemmer))
    scorer = RougeScorer([kind], use_stemmer=stemmer)

    @settings(max_examples=200, deadline=None)
    @given(references=st.lists(TEXTS | ASCII.map(" ".join), min_size=1, max_size=3), said=TEXTS | ASCII.map(" ".join))
    def check(references: list[str], said: str) -> None:
        wanted = max(scorer.score(reference, said)[kind].fmeasure for reference in references)
        assert metric.score(case(*references), answer(said)) == pytest.approx(wanted, abs=1e-12)

    check()


def harmonic(shared: int, expected: int, said: int) -> float:
    if not shared:
        return 0.0
    precision, recall = shared / said, shared / expected
    return 2 * precision * recall / (precision + recall)


def longest(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return longest(a[:-1], b[:-1]) + 1
    return max(longest(a[:-1], b), longest(a, b[:-1]))


@settings(max_examples=200, deadline=None)
@given(reference=ASCII.map(lambda words: words[:7]), said=ASCII.map(lambda words: words[:7]))
def test_it_equals_the_definition(reference: list[str], said: list[str]) -> None:
    one, reply = case(" ".join(reference)), answer(" ".join(said))
    for n, kind in ((1, "rouge1"), (2, "rouge2")):
        a, b = (Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in (reference, said))
        wanted = harmonic((a & b).total(), a.total(), b.total())
        assert made(kind).score(one, reply) == pytest.approx(wanted, abs=1e-12)  # type: ignore[arg-type]
    wanted = harmonic(longest(reference, said), len(reference), len(said))
    assert made("rougeL").score(one, reply) == pytest.approx(wanted, abs=1e-12)


def test_hand_checked_figures() -> None:
    assert made("rouge1").score(case("testing one two"), answer("testing")) == pytest.approx(0.5)  # P 1, R 1/3
    assert made("rouge2").score(case("testing one two"), answer("testing one")) == pytest.approx(2 / 3)  # P 1, R 1/2
    assert made("rougeL").score(case("testing one two"), answer("testing two")) == pytest.approx(0.8)  # P 1, R 2/3


def test_an_abstention_is_no_text_and_unanswerable_cases_do_not_count() -> None:
    for _, kind in KINDS:
        assert made(kind).score(case("two wheels of the gate"), refusal()) == 0
        assert made(kind).score(case("two wheels", answerable=False), refusal()) is None
        assert made(kind).score(case(), answer("two wheels")) is None


def test_other_scripts_have_words_when_they_are_asked_for() -> None:
    for text in ("Ворота закрыты колёсами", "東京の門"):
        assert made("rouge1").score(case(text), answer(text)) == 0
        assert made("rouge1", letters="unicode").score(case(text), answer(text)) == 1
    assert made("rouge1", letters="unicode").score(case("東京"), answer("東大")) == pytest.approx(0.5)
    stemmed = made("rouge1", letters="unicode", stemmer=True)
    assert stemmed.score(case("gates shutting"), answer("gate shut")) == 1


@settings(max_examples=200, deadline=None)
@given(reference=ASCII.map(" ".join), said=ASCII.map(" ".join), stemmer=st.booleans())
def test_for_ascii_words_both_kinds_of_letters_agree(reference: str, said: str, stemmer: bool) -> None:
    for _, kind in KINDS:
        plain = made(kind, stemmer=stemmer).score(case(reference), answer(said))
        wide = made(kind, stemmer=stemmer, letters="unicode").score(case(reference), answer(said))
        assert plain == wide
