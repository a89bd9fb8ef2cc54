"""Answers and passages as the outside sees them: the same JSON from the command line and from the service.

A shape may gain keys in a later version; none changes its meaning or goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatewheel.kernel.nouns import Answer, Hit


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPassage:
    """A passage: `span` are character offsets into its document's text, `page` counts from 1."""

    id: str
    source: str
    title: str
    span: tuple[int, int]
    page: int | None
    heading: str
    score: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """`gatewheel search`: passages, best first."""

    passages: list[FoundPassage]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """Marker [n]: the exact words in the document."""

    n: int
    source: str
    span: tuple[int, int]
    quote: str
    page: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A sentence of the draft with its support in 0..1."""

    text: str
    supported: bool
    support: float
    citation: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What the model read and wrote; `cost` in US dollars when the price is known."""

    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """`gatewheel ask` and each line of `gatewheel chat`."""

    answer: str
    abstained: bool
    citations: list[Cited]
    passages: list[FoundPassage]
    sentences: list[Judged]
    usage: Tokens
    seconds: float
    variant: str
    trace: str | None


def found(hit: Hit) -> FoundPassage:
    """A hit as the outside sees it."""
    passage = hit.passage
    return FoundPassage(
        id=passage.id,
        source=passage.source,
        title=passage.title,
        span=passage.span,
        page=passage.page,
        heading=passage.heading,
        score=round(hit.score, 6),
        text=passage.text,
    )


def asked(answer: Answer) -> Ask:
    """An answer as the outside sees it."""
    return Ask(
        answer=answer.answer,
        abstained=answer.abstained,
        citations=[Cited(n=c.n, source=c.source, span=c.span, quote=c.quote, page=c.page) for c in answer.citations],
        passages=[found(hit) for hit in answer.passages],
        sentences=[
            Judged(text=s.text, supported=s.supported, support=round(s.support, 4), citation=s.citation)
            for s in answer.sentences
        ],
        usage=Tokens(
            input_tokens=answer.usage.input_tokens, output_tokens=answer.usage.output_tokens, cost=answer.usage.cost
        ),
        seconds=round(answer.seconds, 4),
        variant=answer.variant,
        trace=answer.trace,
    )
