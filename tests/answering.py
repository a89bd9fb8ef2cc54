"""Cases and answers to score: short to write, and strategies that draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

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
    )
