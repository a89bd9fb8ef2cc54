"""Agreement and ranking as the outside sees them: the same JSON from the command line and from the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewheel.kernel.numbers import finite

if TYPE_CHECKING:
    from gatewheel.evals.people import Agreed
    from gatewheel.evals.statistics.ranking import Ranked


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreedRow:
    """Agreement on `question`: "better" for pairs, or a criterion. `kappa` is null unless two rated; null: unknown.

    `units` were rated by at least two. On the ordinal scale kappa is weighted by squares.
    """

    question: str
    scale: str
    raters: list[str]
    units: int
    kappa: float | None
    alpha: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedRow:
    """A variant: i beats j with probability 1 / (1 + exp(strength j - strength i)); null is not bounded."""

    variant: str
    target: str
    strength: float
    low: float | None
    high: float | None
    matches: int


def agreed(one: Agreed) -> AgreedRow:
    """How far raters agree on a question."""
    return AgreedRow(
        question=one.question,
        scale=one.scale,
        raters=list(one.raters),
        units=one.units,
        kappa=finite(one.kappa),
        alpha=finite(one.alpha),
        low=finite(one.interval.low),
        high=finite(one.interval.high),
    )


def ranked(one: Ranked, names: Mapping[str, str]) -> RankedRow:
    """A variant among those that were compared; `names` are the targets by variant."""
    return RankedRow(
        variant=one.name,
        target=names.get(one.name, ""),
        strength=one.strength,
        low=finite(one.interval.low),
        high=finite(one.interval.high),
        matches=one.matches,
    )
