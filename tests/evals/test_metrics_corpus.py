"""BLEU and chrF of a corpus against sacrebleu."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answering import TEXTS, answer, case, refusal
from gatewheel.kernel import catalog

PLAIN = st.lists(st.sampled_from("the gate is shut by two wheels . , again".split()), max_size=14).map(" ".join)
CORPORA = st.lists(st.tuples(st.lists(PLAIN | TEXTS, min_size=1, max_size=3), PLAIN | TEXTS), min_size=1, max_size=5)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("bleu", {}),
    ("bleu", {"lowercase": True, "tokenize": "intl"}),
    ("bleu", {"tokenize": "char"}),
    ("bleu", {"tokenize": "zh"}),
    ("bleu", {"tokenize": "none"}),
    ("chrf", {}),
    ("chrf", {"word_order": 2}),
    ("chrf", {"lowercase": True}),
]


def made(name: str, **values: Any) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(**values))


def figure(metric: Any, corpus: list[tuple[list[str], str]]) -> float:
    rows = [metric.score(case(*references), answer(said)) for references, said in corpus]
    return float(metric.figure(np.array(rows, np.float64)))


@pytest.mark.parametrize(("name", "values"), VARIANTS)
def test_the_figure_is_the_corpus_score_of_sacrebleu(name: str, values: dict[str, Any]) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    metric = made(name, **values)
    reference = {"bleu": BLEU, "chrf": CHRF}[name](**values)

    @settings(max_examples=120, deadline=None)
    @given(corpus=CORPORA)
    def check(corpus: list[tuple[list[str], str]]) -> None:
        most = max(len(references) for references, _ in corpus)
        streams = [[references[at] if at < len(references) else None for references, _ in corpus] for at in range(most)]
        wanted = reference.corpus_score([said for _, said in corpus], streams).score
        assert figure(metric, corpus) == pytest.approx(wanted, abs=1e-6)

    check()


# the example of sacrebleu's README, with the scores that it prints
SAID = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
EXPECTED = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def test_published_figures() -> None:
    corpus = list(zip(EXPECTED, SAID, strict=True))
    assert figure(made("bleu"), corpus) == pytest.approx(48.53, abs=0.005)
    assert figure(made("chrf"), corpus) == pytest.approx(59.73, abs=0.005)


def test_the_figure_is_no_mean_of_sentences() -> None:
    corpus = list(zip(EXPECTED, SAID, strict=True))
    metric = made("bleu")
    assert figure(metric, corpus) != pytest.approx(np.mean([figure(metric, [one]) for one in corpus]), abs=0.5)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_what_does_not_apply_and_what_is_empty(name: str) -> None:
    metric = made(name)
    assert metric.score(case(), answer("two wheels")) is None
    assert metric.score(case("two wheels", answerable=False), refusal()) is None
    silent = metric.score(case("two wheels of the gate"), refusal())
    assert metric.figure(np.array([silent])) == 0
    whole = metric.score(case("It is shut by two wheels."), answer("It is shut by two wheels."))
    assert metric.figure(np.array([whole])) == pytest.approx(100, abs=1e-9)
    assert metric.figure(np.array([whole])) <= 100
    assert 0 < metric.figure(np.array([whole, silent])) < 100  # silence counts in the corpus
