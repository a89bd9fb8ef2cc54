"""From logits to the places of a text, token by token: what an evaluation harness asks of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewheel.kernel.errors import PromptTooLong, UserError
from gatewheel.kernel.likelihood import Place
from gatewheel.models.logits import BYTES, Forward, log_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING_BEFORE = Place(logprob=None)


def places(forward: Forward, tokens: Sequence[int], *, top: int, length: int) -> list[Place]:
    """One for each token, with the `top` likeliest in its stead, and one more for the token that would come next.

    Raises what `refuse` raises.
    """
    refuse(tokens, vocabulary=forward.vocabulary, length=length)
    logits = forward.read(tokens[:1])[None]
    found = [NOTHING_BEFORE, *_after(logits, log_sums(logits), tokens[1:2], top)]
    step = max(1, BYTES // (4 * forward.vocabulary))
    for begin in range(1, len(tokens), step):
        end = begin + step
        logits = forward.follow(np.array([tokens[begin:end]], np.int64))[0]
        found += _after(logits, log_sums(logits), tokens[begin + 1 : end + 1], top)
    return found


def normalised(rows: NDArray[np.float32], tokens: Sequence[int], top: int) -> list[Place]:
    """The same from log-probabilities after each token of a text; `tokens` are those from the second on."""
    return [NOTHING_BEFORE, *_after(rows, np.zeros(len(rows)), tokens, top)]


def refuse(tokens: Sequence[int], *, vocabulary: int, length: int) -> None:
    """Raises PromptTooLong beyond `length` tokens, UserError for a token that the model does not have."""
    if len(tokens) > length:
        what = f"the prompt has {len(tokens)} tokens and the context holds {length}"
        raise PromptTooLong(what, cure="shorten the prompt, or raise context_length in [model.<name>]")
    refuse_unknown(tokens, vocabulary=vocabulary)


def refuse_unknown(tokens: Sequence[int], *, vocabulary: int) -> None:
    """Raises UserError for a token that the model does not have."""
    strange = next((token for token in tokens if not 0 <= token < vocabulary), None)
    if strange is not None:
        raise UserError(
            f"the model has {vocabulary} tokens and none of the number {strange}", cure="ask POST /tokenize"
        )


def _after(logits: NDArray[np.float32], sums: NDArray[np.float64], tokens: Sequence[int], top: int) -> list[Place]:
    """What follows each row; the last row may have no token yet."""
    ids = np.argpartition(logits, -top, axis=1)[:, -top:]
    order = np.take_along_axis(logits, ids, axis=1).argsort(axis=1)[:, ::-1]
    ids = np.take_along_axis(ids, order, axis=1)
    likeliest = np.take_along_axis(logits, ids, axis=1).astype(np.float64) - sums[:, None]
    own: list[Any] = (logits[np.arange(len(tokens)), list(tokens)].astype(np.float64) - sums[: len(tokens)]).tolist()
    own += [None] * (len(logits) - len(tokens))
    rows = zip(own, ids.tolist(), likeliest.tolist(), strict=True)
    return [Place(logprob=logprob, top=tuple(zip(names, values, strict=True))) for logprob, names, values in rows]
