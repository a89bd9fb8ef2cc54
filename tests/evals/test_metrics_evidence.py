"""Citations, faithfulness, lexical grounding and relevance: what an answer rests on, and what it is about."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from answering import answer, case, citation, hits, refusal, sentences
from gatewheel.evals.metrics.evidence import claims
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import ConfigError
from gatewheel.rag.sentences import sentence_spans

TEXT = "The gate is shut by two wheels. Its keeper, Ada Marsh, oils them each May."


def made(name: str, parts: dict[str, Any] | None = None, **values: Any) -> Any:
    module = catalog.load("metric", name)
    return module.create(module.Settings(**values), **(parts or {}))


@cache
def encoder(name: str) -> Any:
    return made_of("encoder", name)


def made_of(kind: str, name: str, **parts: Any) -> Any:
    module = catalog.load(kind, name)
    return module.create(module.Settings(), **parts)


@cache
def checker() -> Any:
    return made_of("checker", "grounding", encoder=encoder("none"))


# --- citations ---


@pytest.mark.parametrize(
    ("cited", "precision", "recall"),
    [
        (("a.md", "b.md"), 1, 1),
        (("a.md",), 1, 1 / 2),
        (("a.md", "x.md", "y.md", "a.md"), 2 / 4, 1 / 2),
        (("x.md",), 0, 0),
        ((), 0, 0),
    ],
)
def test_citations_lead_to_the_sources_of_the_case(cited: tuple[str, ...], precision: float, recall: float) -> None:
    one = case(sources=("a.md", "b.md", "a.md"))
    said = answer("Two wheels.", citations=tuple(citation(n, source) for n, source in enumerate(cited, 1)))
    assert made("citation-precision").score(one, said) == pytest.approx(precision)
    assert made("citation-recall").score(one, said) == pytest.approx(recall)


def test_citations_hold_the_evidence_of_the_case() -> None:
    one = case(evidence=("two wheels", "The keeper oils them each May.", "..."))
    quotes = ("The gate is shut by two wheels.", "oils them each May", "two wheel", "!")
    said = answer("So.", citations=tuple(citation(n, "a.md", quote) for n, quote in enumerate(quotes, 1)))
    assert made("citation-precision", of="evidence").score(one, said) == 2 / 4
    assert made("citation-recall", of="evidence").score(one, said) == 1
    assert made("citation-recall", of="evidence").score(one, answer("So.")) == 0


def test_where_no_citation_is_owed_none_is_judged() -> None:
    cited = answer("So.", citations=(citation(1, "a.md"),))
    for name in ("citation-precision", "citation-recall"):
        assert made(name).score(case(), cited) is None
        assert made(name).score(case(sources=("a.md",), answerable=False), cited) is None
        assert made(name, of="evidence").score(case(sources=("a.md",)), cited) is None
    silent = refusal()
    assert made("citation-precision").score(case(sources=("a.md",)), silent) is None
    assert made("citation-recall").score(case(sources=("a.md",)), silent) == 0


# --- faithfulness ---


def test_the_verdicts_of_the_answer_count_without_a_checker() -> None:
    said = answer(
        "Two wheels [1]. A rope [unsupported].",
        citations=(citation(1, "a.md"),),
        sentences=sentences(("Two wheels.", 0.9), ("A rope.", 0.2), ("Dropped.", 0.1)),
    )
    assert made("faithfulness").score(case(), said) == 1 / 2
    assert made("faithfulness", draft=True).score(case(), said) == pytest.approx(1 / 3)
    assert made("faithfulness").score(case(), answer("Two wheels.")) is None


def test_a_checker_judges_anew_whatever_the_answer_says_of_itself() -> None:
    lenient = answer(
        "The gate is shut by two wheels. The bishop crowned nine dragons.",
        passages=hits("a.md", text=TEXT),
        sentences=sentences(("The gate is shut by two wheels.", 1), ("The bishop crowned nine dragons.", 1)),
    )
    assert made("faithfulness").score(case(), lenient) == 1
    assert made("faithfulness", {"checker": checker()}).score(case(), lenient) == 1 / 2


def test_a_plain_text_is_parted_and_held_against_the_context() -> None:
    metric = made("faithfulness", {"checker": checker()})
    said = answer("The gate is shut by two wheels. The bishop crowned nine dragons!\n\nAda Marsh oils them each May.")
    assert metric.score(case(context=TEXT), said) == pytest.approx(2 / 3)
    assert metric.score(case(), said) is None  # nothing to rest on
    assert metric.score(case(context=" \n"), said) is None
    assert metric.score(case(context=TEXT), refusal()) is None
    assert metric.score(case(context=TEXT), answer(" ")) is None


def test_a_plain_text_is_parted_as_the_application_would_part_it() -> None:
    said = answer("The gate of Dr. Marsh is shut by two wheels.")
    one = case(context="The gate of Dr. Marsh is shut by two wheels.")
    parts = {"checker": checker(), "sentences": sentence_spans}
    assert made("faithfulness", parts).score(one, said) == 1
    assert claims(said, sentences=sentence_spans) == [said.answer]
    assert claims(said) == ["The gate of Dr.", "Marsh is shut by two wheels."]


# --- lexical grounding ---


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("The gate is shut by two wheels.", 1),
        ("it is SHUT with wheels and the Gate", 1),  # words without content do not count
        ("Ada Marsh’s gate, the gate of gates", 3 / 4),  # each word once, as it stands
        ("A dragon shut the gate", 2 / 3),
        ("Dragons fly", 0),
        ("It is so, and yes!", None),
        ("", None),
    ],
)
def test_the_share_of_content_words_that_the_evidence_holds(said: str, share: float | None) -> None:
    metric = made("lexical-grounding")
    wanted = None if share is None else pytest.approx(share)
    assert metric.score(case(context=TEXT), answer(said)) == wanted
    assert metric.score(case(), answer(said, passages=hits("a.md", text=TEXT))) == wanted


def test_grounding_needs_an_answer_and_evidence() -> None:
    metric = made("lexical-grounding")
    assert metric.score(case(), answer("Two wheels.")) is None
    assert metric.score(case(context=TEXT), refusal()) is None
    assert metric.score(case(context="東京の門"), answer("東京")) == 1


# --- relevance ---


def test_an_answer_to_the_question_is_nearer_than_one_to_another() -> None:
    metric = made("answer-relevance", {"encoder": encoder("openvino")})
    near = metric.score(case(), answer("The gate is shut by turning two wheels."))
    far = metric.score(case(), answer("Kublai Khan founded the Yuan dynasty in 1271."))
    assert -1 <= far < 0.3 < 0.5 < near <= 1
    assert metric.score(case(), answer(case().question)) == pytest.approx(1, abs=1e-3)
    assert metric.score(case(), answer(" ")) == 0
    assert metric.score(case(), refusal()) is None


@pytest.mark.parametrize("parts", [{}, {"encoder": None}, {"encoder": "none"}])
def test_relevance_says_that_it_needs_an_encoder(parts: dict[str, Any]) -> None:
    given = {name: encoder(value) if value else None for name, value in parts.items()}
    with pytest.raises(ConfigError, match=r"answer-relevance needs an encoder.*\[encoder.main\] use"):
        made("answer-relevance", given)
