"""Likelihoods by llama.cpp, which gives log-probabilities only of what it writes: so it is made to write given tokens.

Each token is a request with a bias that leaves no other; the log-probability that it tells is from before the bias.
What was read before stays in the slot, so a prompt is read once for all of its continuations. That is exact, as quick
as writing, good for choices of a few words and slow for whole texts, which the engine openvino reads in one go.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.likelihood import Likelihood

if TYPE_CHECKING:
    from gatewheel.models.llamacpp import LlamaCpp

Tokens = Sequence[int]
BIAS = 1e5  # beyond any logit
ALL = 1_000_000  # more than any vocabulary has: every token is told


class LlamaCppReader:
    """Fulfils Reader of likelihoods.py. `parallel` calls are under way at once, each in a slot of its own."""

    def __init__(self, engine: LlamaCpp, *, length: int) -> None:
        self._engine = engine
        self._length = length
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(engine.parallel):
            self._slots.put(slot)
        self._whole = self.encode("a")[0]
        props = engine.ask("GET", "/props")
        self._prefix = self.encode(props["bos_token"] or props["eos_token"])[0]
        whole = engine.ask("POST", "/tokenize", {"content": "a", "add_special": True})["tokens"]
        self._begun: bool = whole[0] == self._prefix

    @property
    def prefix(self) -> int:
        """The token that begins a text, or where there is none the one that ends it."""
        return self._prefix

    @property
    def begun(self) -> bool:
        return self._begun

    @property
    def length(self) -> int:
        return self._length

    @property
    def parallel(self) -> int:
        return self._engine.parallel

    def encode(self, text: str) -> list[int]:
        return list(self._engine.ask("POST", "/tokenize", {"content": text})["tokens"])

    def score(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        slot = self._slots.get()
        try:
            return [self._one(list(context), each, slot) for each in continuations]
        finally:
            self._slots.put(slot)

    def close(self) -> None:
        self._engine.close()

    def _one(self, context: list[int], continuation: Tokens, slot: int) -> Likelihood:
        logprob, greedy = 0.0, True
        for at, token in enumerate(continuation):
            told, likeliest = self._token([*context, *continuation[:at]], token, slot)
            logprob, greedy = logprob + told, greedy and likeliest == token
        return Likelihood(logprob=logprob, tokens=len(continuation), greedy=greedy)

    def _token(self, prompt: list[int], token: int, slot: int) -> tuple[float, int]:
        """The log-probability of a token after the prompt, and the likeliest token there."""
        found = self._written(prompt, token, 1, slot)
        if not found:  # it is part of a character or ends a text, and is told only beside one that is neither
            found = self._written(prompt, self._whole, ALL, slot)
        likely: list[dict[str, Any]] = found[0]["top_logprobs"]
        told = {each["id"]: float(each["logprob"]) for each in [found[0], *likely]}
        return told[token], likely[0]["id"]

    def _written(self, prompt: list[int], token: int, likeliest: int, slot: int) -> list[dict[str, Any]]:
        request = {
            "prompt": prompt,
            "logit_bias": [[token, BIAS]],
            "max_tokens": 1,
            "n_probs": likeliest,
            "temperature": 0,
            "cache_prompt": True,
            "id_slot": slot,
        }
        said = self._engine.complete(request)["choices"][0].get("logprobs") or {}
        return list(said.get("content") or [])
