"""Which citations of an answer lead to what a case names as its evidence."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.squad import normalise
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "citation-precision" or "citation-recall"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    of: Literal["sources", "evidence"] = Field(
        "sources",
        description="A citation is right when it leads to one of the case's sources, or when its quote holds one of "
        "the case's pieces of evidence or is held by it.",
    )


def matches(case: Case, answer: Answer, settings: Settings) -> list[list[bool]] | None:
    """For each citation, for each expected piece, whether they fit; None where nothing is expected to be cited."""
    if not case.answerable:
        return None
    if settings.of == "sources":
        sources = tuple(dict.fromkeys(case.sources))
        return [[citation.source == source for source in sources] for citation in answer.citations] if sources else None
    evidence = tuple(dict.fromkeys(filter(None, map(normalise, case.evidence))))
    quotes = [normalise(citation.quote) for citation in answer.citations]
    return [[_fit(quote, piece) for piece in evidence] for quote in quotes] if evidence else None


def _fit(quote: str, piece: str) -> bool:
    return bool(quote) and (f" {piece} " in f" {quote} " or f" {quote} " in f" {piece} ")
