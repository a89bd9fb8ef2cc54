"""From logits to log-probabilities of given tokens: what is the same for every engine that hands its logits out.

A context is read once, the continuations after it side by side, and what two contexts begin with is not read again
where the engine keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gatewheel.kernel.likelihood import Likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]
    Rows = NDArray[np.int64]

BYTES = 2**26  # of logits at once: 341 tokens of a vocabulary of 49,152
Tokens = Sequence[int]


class Forward(Protocol):
    """The weights at work. What is read stays in its state until `read` is called anew. One call at a time."""

    @property
    def vocabulary(self) -> int: ...
    def read(self, tokens: Tokens) -> Logits:
        """Read a context from its beginning; the logits of what follows, shape (vocabulary,)."""

    def follow(self, rows: Rows) -> Logits:
        """Read on, shape (rows, tokens), each row after what was read: logits (rows, tokens, vocabulary).

        The first call after `read` says how many rows there are; the next ones go on with each of them.
        """


def score(forward: Forward, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
    """Of each continuation after the context, each of at least one token."""
    first = forward.read(context)[None]
    most = max(1, BYTES // (4 * forward.vocabulary))
    found: dict[int, Likelihood] = {}
    for places in _batches([len(each) for each in continuations], most):
        if found:
            forward.read(context)
        rows = [continuations[at] for at in places]
        for at, told in zip(places, _side_by_side(forward, first, rows, most), strict=True):
            found[at] = told
    return [found[at] for at in range(len(continuations))]


def log_probabilities(logits: Logits, tokens: Tokens) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of these tokens at their places, and whether each was the likeliest; logits of shape (tokens, vocabulary)."""
    wanted = np.asarray(tokens)
    own = logits[np.arange(len(wanted)), wanted].astype(np.float64)
    return own - log_sums(logits), logits.argmax(axis=1) == wanted


def log_sums(logits: Logits) -> NDArray[np.float64]:
    """The logarithm of the summed exponentials of each row, by which logits exceed log-probabilities.

    Exponentials are float32 (each within 1e-7 of its value) and their logarithm float64: float32 throughout would lose
    1e-6 a token, float64 throughout takes four times as long.
    """
    top = logits.max(axis=1)
    sums: NDArray[np.float64] = top + np.log(np.exp(logits - top[:, None]).sum(axis=1, dtype=np.float64))
    return sums


def beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    most = min(len(one), len(other))
    return next((at for at in range(most) if one[at] != other[at]), most)


def _batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Places of continuations that are read side by side, the longest first: `most` tokens with what fills them up."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _side_by_side(forward: Forward, first: Logits, rows: Sequence[Tokens], most: int) -> list[Likelihood]:
    """The longest row stands first. What fills up a shorter one comes last, where nothing looks back at it."""
    sums, greedy = np.zeros(len(rows)), np.ones(len(rows), bool)

    def add(at: int, logits: Logits, tokens: Tokens) -> None:
        told, likeliest = log_probabilities(logits, tokens)
        sums[at] += told.sum()
        greedy[at] &= likeliest.all()

    for at, row in enumerate(rows):
        add(at, first, row[:1])
    step, longest = max(1, most // len(rows)), len(rows[0])
    for begin in range(0, longest - 1, step):
        end = min(begin + step, longest - 1)
        logits = forward.follow(np.array([_filled(row[begin:end], end - begin) for row in rows], np.int64))
        for at, row in enumerate(rows):
            if wanted := row[begin + 1 : end + 1]:
                add(at, logits[at, : len(wanted)], wanted)
    return [
        Likelihood(logprob=float(sums[at]), tokens=len(row), greedy=bool(greedy[at])) for at, row in enumerate(rows)
    ]


def _filled(tokens: Tokens, length: int) -> list[int]:
    return [*tokens, *[0] * (length - len(tokens))]
