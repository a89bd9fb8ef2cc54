"""How probable a text is in the eyes of a model: a noun of its own, since nothing is written for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Likelihood:
    """The natural log-probability of a text after another, summed over its `tokens`.

    `greedy` says that each of them was the likeliest at its place.
    """

    logprob: float
    tokens: int
    greedy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place in a text: the natural log-probability of the token that stands there, and the likeliest ones there.

    `logprob` is None where nothing comes before and where nothing stands yet. `top` is likeliest first.
    """

    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()
