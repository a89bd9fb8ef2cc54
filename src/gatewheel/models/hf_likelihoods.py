"""Likelihoods by transformers and torch: the reference that other engines are measured against.

It computes as the lm-evaluation-harness does with a batch size of 1, to the last bit: each text is read by itself, from
its beginning, and the logarithm is taken in the precision of the weights. In float32 that is right within about 1e-5 a
token. What reads a prompt once for all of its continuations, and is quicker, is the engine openvino.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.likelihood import Likelihood, Place
from gatewheel.models import places

Tokens = Sequence[int]


class HuggingFaceReader:
    """Fulfils Reader of likelihoods.py."""

    def __init__(self, model: Any, tokenizer: Any, *, length: int) -> None:
        self._model: Any = model
        self._tokenizer = tokenizer
        self._length = length
        self._busy = threading.Lock()

    @property
    def prefix(self) -> int:
        """The token that begins a text, or where there is none the one that ends it."""
        begins = self._tokenizer.bos_token_id
        return int(self._tokenizer.eos_token_id if begins is None else begins)

    @property
    def begun(self) -> bool:
        return bool(self._tokenizer.encode("a")[0] == self.prefix)

    @property
    def length(self) -> int:
        return self._length

    @property
    def parallel(self) -> int:
        return 1

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def score(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        """Of each continuation. Those of one token share a reading, for what is read is the same."""
        with self._busy:
            if self._model is None:
                raise ModelError("the model is closed", cure="make a new one")
            read: dict[tuple[int, ...], Any] = {}
            found = []
            for continuation in continuations:
                given = (*context, *continuation[:-1])
                if given not in read:
                    read = {given: self._log_probabilities(given, last=len(continuation))}
                found.append(_told(read[given], continuation))
            return found

    def decode(self, tokens: Tokens) -> str:
        places.refuse_unknown(tokens, vocabulary=len(self._tokenizer))
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def specials(self) -> dict[str, str]:
        names = ("bos_token", "eos_token", "chat_template")
        return {name: value for name in names if isinstance(value := getattr(self._tokenizer, name, None), str)}

    def places(self, tokens: Tokens, *, top: int) -> list[Place]:
        with self._busy:
            if self._model is None:
                raise ModelError("the model is closed", cure="make a new one")
            size = int(self._model.config.get_text_config().vocab_size)
            places.refuse(tokens, vocabulary=size, length=self._length)
            rows = self._log_probabilities(tuple(tokens), last=len(tokens)).float().cpu().numpy()
            return places.normalised(rows, tokens[1:], top)

    def close(self) -> None:
        with self._busy:
            self._model = None

    def _log_probabilities(self, tokens: Tokens, *, last: int) -> Any:
        """Of every token after each of the last ones, shape (last, vocabulary)."""
        import torch

        with torch.inference_mode():
            logits = self._model(torch.tensor([tokens], device=self._model.device)).logits
            return torch.log_softmax(logits, dim=-1)[0, -last:]


def _told(log_probabilities: Any, continuation: Tokens) -> Likelihood:
    import torch

    wanted = torch.tensor(continuation, device=log_probabilities.device)
    own = log_probabilities.gather(1, wanted[:, None])
    greedy = bool((log_probabilities.argmax(dim=-1) == wanted).all())
    return Likelihood(logprob=float(own.sum()), tokens=len(wanted), greedy=greedy)
