"""Likelihoods by an endpoint that reads prompts back: `/v1/completions` with `echo` and `logprobs`, as vLLM has it.

The tokens are the endpoint's own, by its `/tokenize`, so texts are cut as everywhere else. Gatewheel's own service
speaks all of it; OpenAI no longer does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.models.openai_wire import complain

if TYPE_CHECKING:
    from openai import OpenAI

    from gatewheel.models.openai import Settings

Tokens = Sequence[int]
PROMPTS = 64  # of one request
REMEMBERED = 1024  # texts whose tokens are not asked for again: the prompt of many choices
_SCORES_NOT = 'score with use = "openvino", "llama.cpp" or "hf", or name an endpoint that does, such as vLLM'


class EndpointReader:
    """Fulfils Reader of likelihoods.py."""

    def __init__(self, client: OpenAI, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._root = settings.base_url.removesuffix("/v1")
        self._tokens = lru_cache(maxsize=REMEMBERED)(self._asked_tokens)
        self._begins: tuple[int, ...] | None = None  # not known yet

    @property
    def prefix(self) -> int:
        """The token that begins a text, or where there is none the one that ends it."""
        if self.begun and self._begins:
            return self._begins[0]
        told = self._send("GET", f"{self._root}/tokenizer_info")
        text = told.get("bos_token") or told.get("eos_token")
        tokens = self._tokens(str(text)) if text else ()
        if not tokens:
            raise ModelError(f"{self._root}/tokenizer_info names no token that begins a text", cure=_SCORES_NOT)
        return tokens[0]

    @property
    def begun(self) -> bool:
        if self._begins is None:
            plain = self._tokens("a")
            usual = self._asked_tokens("a", as_usual=True)
            self._begins = usual[: len(usual) - len(plain)] if usual[-len(plain) :] == plain else ()
        return bool(self._begins)

    @property
    def length(self) -> int:
        """All tokens of a text are in the prompt, and one more is written that nobody asked for."""
        return self._settings.context_length - 2

    @property
    def parallel(self) -> int:
        return self._settings.parallel

    def encode(self, text: str) -> list[int]:
        return list(self._tokens(text))

    def score(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        return [
            each
            for begin in range(0, len(continuations), PROMPTS)
            for each in self._some(context, continuations[begin : begin + PROMPTS])
        ]

    def close(self) -> None:
        self._client.close()

    def _some(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        body = {
            "model": self._settings.model,
            "prompt": [[*context, *each] for each in continuations],
            "max_tokens": 1,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        }
        said = self._send("POST", f"{self._settings.base_url}/completions", body)
        try:
            choices = sorted(said["choices"], key=lambda choice: choice["index"])
            pairs = list(zip(choices, continuations, strict=True))
            return [_told(choice["logprobs"], len(context), len(each)) for choice, each in pairs]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            what = f"{self._settings.base_url} does not read prompts back with their log-probabilities ({error!r})"
            raise ModelError(what, cure=_SCORES_NOT) from error

    def _asked_tokens(self, text: str, *, as_usual: bool = False) -> tuple[int, ...]:
        """Without what the endpoint puts before and after them, or as it does usually."""
        if not text:
            return ()
        body: dict[str, Any] = {"model": self._settings.model, "prompt": text}
        body |= {} if as_usual else {"add_special_tokens": False}
        said = self._send("POST", f"{self._root}/tokenize", body)
        try:
            return tuple(int(token) for token in said["tokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self._root}/tokenize gives no tokens ({error!r})", cure=_SCORES_NOT) from error

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        import openai

        try:
            if method == "GET":
                said = self._client.get(url, cast_to=object, options={"params": {"model": self._settings.model}})
            else:
                said = self._client.post(url, cast_to=object, body=body)
        except openai.NotFoundError as error:
            raise ModelError(f"{url} is not there: {error.message[:200]}", cure=_SCORES_NOT) from error
        except openai.OpenAIError as error:
            settings = self._settings
            fault = complain(
                error,
                model=settings.model,
                base_url=settings.base_url,
                api_key_env=settings.api_key_env,
                timeout=settings.timeout,
            )
            what = fault.what.replace(self._client.api_key, "[key]")  # some servers repeat it in their refusal
            raise ModelError(what, cure=fault.cure, retryable=fault.retryable) from None
        if not isinstance(said, dict):
            raise ModelError(f"{url} answers with no JSON object", cure=_SCORES_NOT)
        return said


def _told(logprobs: Mapping[str, Any], begin: int, count: int) -> Likelihood:
    """Of the tokens at these places of what was read back; raises ValueError and the like for another shape."""
    own = [float(each) for each in logprobs["token_logprobs"][begin : begin + count]]
    likeliest = [max(each.values()) for each in logprobs["top_logprobs"][begin : begin + count]]
    if len(own) < count:
        raise ValueError(f"{len(own)} of {count} tokens")
    greedy = all(each >= best for each, best in zip(own, likeliest, strict=True))
    return Likelihood(logprob=sum(own), tokens=count, greedy=greedy)
