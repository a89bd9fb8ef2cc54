"""Log-probabilities of tokens: read from OpenAI's wire, and cut to the text that was kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import TokenLogprob
from gatewheel.kernel.ports import Decoding


def ask(decoding: Decoding) -> dict[str, Any]:
    """What a request says to get them."""
    if decoding.logprobs is None:
        return {}
    # llama.cpp sends none at all for 0
    return {"logprobs": True, "top_logprobs": max(1, decoding.logprobs)}


def read(entries: Iterable[Mapping[str, Any]], *, top: int) -> list[TokenLogprob]:
    """The `logprobs.content` of a choice, with at most `top` of the likeliest. Raises ValueError for another shape."""
    try:
        return [
            TokenLogprob(
                token=entry["token"],
                logprob=float(entry["logprob"]),
                top=tuple((likely["token"], float(likely["logprob"])) for likely in entry["top_logprobs"][:top]),
            )
            for entry in entries
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"log-probabilities in another shape: {error!r}") from None


def cut(logprobs: Sequence[TokenLogprob], text: str) -> tuple[TokenLogprob, ...]:
    """Those of the tokens that begin inside `text`; a stop string may have ended it in the middle of one."""
    begin, kept = 0, []
    for entry in logprobs:
        if begin >= len(text):
            break
        kept.append(entry)
        begin += len(entry.token)
    return tuple(kept)


def refuse(decoding: Decoding, *, engine: str) -> None:
    """Raises ModelError when they are asked of an engine that has none."""
    if decoding.logprobs is not None:
        what = f"the engine {engine} gives no log-probabilities, logprobs = {decoding.logprobs} was asked"
        raise ModelError(what, cure='leave logprobs out, or write use = "llama.cpp" or "openai" in [model.<name>]')
