"""The encoder behind an endpoint: whatever answers POST /embeddings as OpenAI does.

Source: https://platform.openai.com/docs/api-reference/embeddings. Tokens are estimated by words, for an endpoint does
not show its vocabulary.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.embeddings.words import word_starts
from gatewheel.kernel.errors import ModelError

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets, Vectors


class Settings(BaseModel):
    """`[encoder.<name>] use = "openai"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field(min_length=1, description="The name that the endpoint knows the model by.")
    base_url: str = Field("https://api.openai.com/v1", description="Where /embeddings is found.")
    key_env: str = Field("OPENAI_API_KEY", description="The environment variable that holds the key.")
    dimensions: int = Field(0, ge=0, description="Ask for shortened vectors; 0: the model's own size.")
    max_tokens: int = Field(512, ge=8, description="Longer texts are cut; in words of at most 7 letters.")
    batch: int = Field(64, ge=1, description="Texts in one request.")
    parallel: int = Field(2, ge=1, description="Requests under way at once.")
    timeout: float = Field(60.0, gt=0, description="Seconds to wait for one answer.")
    retries: int = Field(3, ge=0, description="Further tries after a refusal that may pass, with growing pauses.")


def create(settings: Settings) -> EndpointEncoder:
    """The encoder; nothing is asked of the endpoint before the first text."""
    return EndpointEncoder(settings)


class EndpointEncoder:
    """Fulfils the port Encoder. Safe to call from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.max_tokens = settings.max_tokens
        self._settings = settings

    @cached_property
    def id(self) -> str:
        """Of endpoint, model and sizes. It cannot know of other weights that are served under the same name."""
        said = self._settings
        recipe = f"{said.base_url}\0{said.model}\0{said.dimensions}\0{said.max_tokens}"
        return f"{said.model.rpartition('/')[2][:40]}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"

    @cached_property
    def dimensions(self) -> int:
        """As configured, or learnt from the endpoint by encoding one word.

        Raises ModelError when the endpoint does not answer.
        """
        return self._settings.dimensions or int(self._ask(["dimensions"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, float32, shape (len(texts), dimensions).

        Raises ModelError when the endpoint refuses, does not answer in time or answers something else.
        """
        from concurrent.futures import ThreadPoolExecutor

        import numpy as np

        size = self._settings.batch
        batches = [texts[at : at + size] for at in range(0, len(texts), size)]
        if not batches:
            return np.zeros((0, self.dimensions), np.float32)
        with ThreadPoolExecutor(self._settings.parallel) as pool:
            return np.concatenate(list(pool.map(self._ask, batches)))

    def starts(self, text: str) -> Offsets:
        """Character offset at which each token starts by the rule of words, ascending, shape (tokens,)."""
        return word_starts(text)

    def _ask(self, texts: Sequence[str]) -> Vectors:
        import openai

        said = self._settings
        extra: dict[str, Any] = {"dimensions": said.dimensions} if said.dimensions else {}
        # an empty input is refused by most endpoints
        inputs = [self._cut(text) or " " for text in texts]
        try:
            answer = self._client.embeddings.create(model=said.model, input=inputs, **extra)
        except openai.APITimeoutError as error:
            raise self._fault(f"gave no answer in {said.timeout:g} s", "raise `timeout` or lower `batch`") from error
        except openai.APIConnectionError as error:
            raise self._fault("cannot be reached", "start the server or mend `base_url`") from error
        except openai.AuthenticationError as error:
            raise self._fault("refused the key (401)", f"put a valid key into ${said.key_env}") from error
        except openai.APIStatusError as error:
            reason = " ".join(str(error.message).split())[:200]
            raise self._fault(f"refused with {error.status_code}: {reason}", "see what the server says") from error
        except (openai.APIError, ValueError) as error:
            raise self._fault(f"answered something else ({error})", "check that `base_url` ends in /v1") from error
        return self._rows(answer, len(texts))

    def _rows(self, answer: Any, count: int) -> Vectors:
        import numpy as np

        from gatewheel.embeddings.matrix import unit

        items = sorted(getattr(answer, "data", None) or [], key=lambda item: int(item.index))
        if len(items) != count:
            raise self._fault(f"returned {len(items)} vectors for {count} texts", "use an endpoint for embeddings")
        if len({len(item.embedding) for item in items}) != 1:
            raise self._fault("returned vectors of several lengths", "use an endpoint that pools (one vector a text)")
        rows = np.array([item.embedding for item in items], np.float32)
        if self._settings.dimensions not in (0, rows.shape[1]) or not np.isfinite(rows).all():
            raise self._fault(f"returned {rows.shape[1]} numbers a text, or not numbers", "set `dimensions` to 0")
        return unit(rows)

    def _cut(self, text: str) -> str:
        starts = word_starts(text)
        return text[: int(starts[self.max_tokens])] if len(starts) > self.max_tokens else text

    def _fault(self, what: str, cure: str) -> ModelError:
        return ModelError(f"the embeddings endpoint {self._settings.base_url} {what}", cure=cure)

    @cached_property
    def _client(self) -> Any:
        import openai

        said = self._settings
        # local servers want no key, yet the client wants one
        key = os.environ.get(said.key_env) or "none"
        return openai.OpenAI(base_url=said.base_url, api_key=key, timeout=said.timeout, max_retries=said.retries)
