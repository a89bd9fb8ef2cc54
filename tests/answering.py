"""Cases and answers to score: short to write, and strategies that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Answer, Case, Citation, Hit, Passage, Sentence, Usage


def case(*references: str, **rest: Any) -> Case:
    """A case with these right answers."""
    return Case(**{"id": "case", "question": "How is the gate shut?", "references": references, **rest})


def refusal(**rest: Any) -> Answer:
    """An abstention."""
    return answer("Your documents do not say.", abstained=True, **rest)


def answer(text: str, **rest: Any) -> Answer:
    """An answer in these words."""
    known: dict[str, Any] = {
        "abstained": False,
        "citations": (),
        "passages": (),
        "sentences": (),
        "usage": Usage(),
        "seconds": 0.5,
        "variant": "v",
        "trace": None,
    }
    return Answer(answer=text, **{**known, **rest})


def hits(*sources: str, text: str = "The gate is shut by two wheels.") -> tuple[Hit, ...]:
    """A passage of each source, best first."""
    return tuple(
        Hit(passage=Passage(id=str(at), source=source, span=(0, len(text)), text=text), score=1 / (1 + at))
        for at, source in enumerate(sources)
    )


def citation(n: int, source: str, quote: str = "two wheels") -> Citation:
    """Marker [n]."""
    return Citation(n=n, source=source, span=(0, len(quote)), quote=quote)


def sentences(*supports: tuple[str, float]) -> tuple[Sentence, ...]:
    """Sentences with their support; from .8 on they count as supported."""
    return tuple(Sentence(text=text, supported=support >= 0.8, support=support) for text, support in supports)


# what has made metrics stumble: articles, punctuation, other scripts, decomposed letters, signs without a word
WORDS = st.sampled_from(
    "the a an The gate Gate gates shut two wheels. wheels U.S. don't 14 1,200 42% café cafe\u0301 Straße 東京 ประตู 🚀 "
    "– … \u00a0 \x00 yes no - ( ) ' \" the. a, ﬁne İ".split(" ")
)
SENTENCES = st.lists(WORDS, max_size=8).map(" ".join)
TEXTS = SENTENCES | st.text(max_size=30)
SOURCES = st.sampled_from(["a.md", "b.md", "c.pdf#2", "ü.txt", ""])
UNIT = st.floats(0, 1)


def likelihoods() -> st.SearchStrategy[Likelihood]:
    """Of any text."""
    return st.builds(Likelihood, logprob=st.floats(-999, 0), tokens=st.integers(1, 99), greedy=st.booleans())


CHECKS: tuple[dict[str, Any], ...] = (
    {"id": "punctuation:no_comma", "kwargs": {}},
    {"id": "length_constraints:number_words", "kwargs": {"relation": "at least", "num_words": 3}},
    {"id": "change_case:english_lowercase"},
)


@st.composite
def metas(draw: st.DrawFn, choices: Sequence[str]) -> dict[str, Any]:
    """What instructions, code tasks, questions of BBQ and pairs of CrowS-Pairs carry."""
    meta: dict[str, Any] = {"checks": draw(st.lists(st.sampled_from(CHECKS), max_size=3))}
    if choices:
        meta["context_condition"] = draw(st.sampled_from(["ambig", "disambig"]))
        meta["question_polarity"] = draw(st.sampled_from(["neg", "nonneg"]))
        meta |= {key: draw(st.sampled_from(choices)) for key in ("target", "unknown")}
    if draw(st.booleans()):
        meta |= {"test": "def check(candidate):\n    assert candidate() is None\n", "entry_point": "gate"}
    return meta | ({"stereotypical": choices[0]} if len(choices) == 2 else {})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any case."""
    choices = tuple(draw(st.lists(SENTENCES, max_size=4)))
    right = st.sampled_from(choices) if choices else SENTENCES | st.just("")
    return Case(
        id="case",
        question=draw(TEXTS),
        references=tuple(draw(st.lists(TEXTS, max_size=3))),
        answerable=draw(st.booleans()),
        sources=tuple(draw(st.lists(SOURCES, max_size=4))),
        evidence=tuple(draw(st.lists(SENTENCES, max_size=2))),
        choices=choices,
        label=draw(right),
        context=draw(st.just("") | TEXTS),
        meta=draw(metas(choices)),
    )


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Any answer, cited and checked or not."""
    said: Sequence[tuple[str, float]] = draw(st.lists(st.tuples(SENTENCES, UNIT), max_size=3))
    cited = draw(st.lists(st.tuples(SOURCES, SENTENCES), max_size=3))
    text = " ".join(f"{sentence} [{n}]" for n, (sentence, _) in enumerate(said, start=1))
    spent = st.builds(
        Usage,
        input_tokens=st.integers(0, 9_999),
        output_tokens=st.integers(0, 99),
        seconds_to_first_token=UNIT,
        cost=st.none() | UNIT,
    )
    return answer(
        draw(st.just(text) | TEXTS),
        abstained=draw(st.booleans()),
        citations=tuple(citation(n, *pair) for n, pair in enumerate(cited, start=1)),
        passages=hits(*draw(st.lists(SOURCES, max_size=6)), text=draw(SENTENCES)),
        sentences=sentences(*said),
        usage=draw(spent),
        seconds=draw(UNIT),
        likelihoods=tuple(draw(st.lists(likelihoods(), max_size=4))),
    )
