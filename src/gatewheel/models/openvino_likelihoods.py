"""Likelihoods of GGUF weights by OpenVINO in this process, from the conversion that the chat engine uses too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.likelihood import Likelihood, Place
from gatewheel.models import logits, places
from gatewheel.models.openvino_arrays import meet_numpy
from gatewheel.models.openvino_logits import OpenVinoForward, vocabulary

Tokens = Sequence[int]


class OpenVinoReader:
    """Fulfils Reader of likelihoods.py, and Vocabulary: it knows its tokens before there are weights."""

    def __init__(self, folder: Path, *, forward: Callable[[], OpenVinoForward], length: int) -> None:
        """Load the tokenizer; `forward` loads the weights, later. Raises ModelError when OpenVINO cannot."""
        from openvino_genai import Tokenizer

        meet_numpy()
        self._tokenizer: Any = Tokenizer(str(folder))
        self._vocabulary = vocabulary(folder)
        self._make = forward
        self._forward: OpenVinoForward | None = None
        self._open = True
        self._length = length
        self._busy = threading.Lock()

    @property
    def prefix(self) -> int:
        """The token that begins a text, or where there is none the one that ends it."""
        begins = int(self._tokenizer.get_bos_token_id())
        return begins if begins >= 0 else int(self._tokenizer.get_eos_token_id())

    @property
    def begun(self) -> bool:
        found = self._tokenizer.encode("a", add_special_tokens=True).input_ids.data[0]
        return int(found[0]) == self.prefix

    @property
    def length(self) -> int:
        return self._length

    @property
    def parallel(self) -> int:
        return 1

    def encode(self, text: str) -> list[int]:
        found = self._tokenizer.encode(text, add_special_tokens=False).input_ids.data if text else [[]]
        return [int(token) for token in found[0]]

    def decode(self, tokens: Tokens) -> str:
        places.refuse_unknown(tokens, vocabulary=self._vocabulary)
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def specials(self) -> dict[str, str]:
        told = {
            "bos_token": self._tokenizer.get_bos_token(),
            "eos_token": self._tokenizer.get_eos_token(),
            "chat_template": self._tokenizer.get_original_chat_template(),
        }
        return {name: value for name, value in told.items() if value}

    def places(self, tokens: Tokens, *, top: int) -> list[Place]:
        with self._busy:
            return places.places(self._alive(), tokens, top=top, length=self._length)

    def score(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        with self._busy:
            return logits.score(self._alive(), context, continuations)

    def load(self) -> None:
        """Have the weights at hand. Raises ModelError when OpenVINO cannot."""
        with self._busy:
            self._alive()

    def close(self) -> None:
        with self._busy:
            self._open, self._forward = False, None

    def _alive(self) -> OpenVinoForward:
        if not self._open:
            raise ModelError("the model is closed", cure="make a new one")
        self._forward = self._forward or self._make()
        return self._forward
