"""Chat through any OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp's server), with the official client.

The key is read from the environment when the model is made and appears in no settings, error or repr.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.nouns import Completion, Message, Usage
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models import schema
from gatewheel.models.likelihoods import TextLikelihoods
from gatewheel.models.openai_calls import PAUSE, Calls
from gatewheel.models.openai_wire import (
    NOTHING,
    Received,
    complain,
    json_mode,
    read_stream,
    refuses_json_schema,
    request,
    with_repair,
)
from gatewheel.models.turn import Hushed, hush

SLOWEST = 1  # tokens a second that an endpoint is trusted to write, with all that it writes for others beside
SCORES = "endpoint, echo"  # what tells likelihoods: another word would be other numbers
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_DEFAULT_KEY = "OPENAI_API_KEY"


class Settings(BaseModel):
    """`timeout` is in seconds without a byte; prices are US dollars per million tokens; `context_length` in tokens.

    `own_sampling = true` sends no temperature, top_p or seed, which reasoning models refuse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, description="The name that the endpoint knows it by.")
    base_url: str = Field("https://api.openai.com/v1", description="Ends where /chat/completions begins.")
    api_key_env: str = Field(_DEFAULT_KEY, description="The variable that holds the key.")
    timeout: float = Field(60.0, gt=0, description="Seconds without a byte.")
    max_retries: int = Field(2, ge=0, le=10, description="After 429, 5xx and lost connections.")
    input_price: float | None = Field(None, ge=0, description="US dollars per million tokens read.")
    output_price: float | None = Field(None, ge=0, description="US dollars per million tokens written.")
    context_length: int = Field(8192, ge=128, description="Tokens of prompt and answer.")
    parallel: int = Field(16, ge=1, le=1024, description="Requests sent at once; the others wait.")
    own_sampling: bool = Field(False, description="Send no temperature, top_p or seed: reasoning models refuse them.")

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"must be an http or https URL, got {url!r}")
        if parts.username or parts.password:
            raise ValueError("must hold no user or password; put the key into the variable named by api_key_env")
        return url.rstrip("/")


def create(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> Model:
    """A client; nothing is sent yet.

    Raises MissingPart when the variable with the key is empty. An endpoint on this machine needs no key.
    """
    del on_progress
    from openai import OpenAI

    return Endpoint(Calls(OpenAI(**_access(settings))), settings)


def text_likelihoods(settings: Settings, *, on_progress: Callable[[str], None] | None = None) -> TextLikelihoods:
    """What says how probable texts are to the endpoint's model; nothing is sent yet. Raises what `create` raises."""
    from openai import OpenAI

    from gatewheel.models.openai_likelihoods import EndpointReader

    del on_progress
    return TextLikelihoods(EndpointReader(OpenAI(**_access(settings)), settings))


def _access(settings: Settings) -> dict[str, Any]:
    """Where, and with what key."""
    key = os.environ.get(settings.api_key_env, "")
    local = urlsplit(settings.base_url).hostname in _LOCAL
    if not key and not local:
        what = f"no key for {settings.base_url}: the variable {settings.api_key_env} is empty"
        raise MissingPart(what, cure=f"export {settings.api_key_env}=…, or name another in api_key_env")
    if local and settings.api_key_env == _DEFAULT_KEY:
        key = ""  # a key meant for OpenAI is not shown to whatever listens on this machine
    return {
        "api_key": key or "no-key-needed",
        "base_url": settings.base_url,
        "timeout": settings.timeout,
        "max_retries": settings.max_retries,
    }


class Endpoint:
    """One model behind one base URL."""

    def __init__(self, calls: Calls, settings: Settings) -> None:
        self._calls = calls
        self._settings = settings
        self._free = threading.BoundedSemaphore(settings.parallel)
        self._knows_json_schema = True  # until the server refuses it once

    def __repr__(self) -> str:
        return f"Endpoint(model={self.name!r}, base_url={self._settings.base_url!r})"

    @property
    def name(self) -> str:
        return self._settings.model

    @property
    def context_length(self) -> int:
        return self._settings.context_length

    @property
    def parallel(self) -> int:
        return self._settings.parallel

    def count_tokens(self, text: str) -> int:
        """An upper estimate, for the vocabulary is the server's own: a token to three bytes."""
        return -(-len(text.encode()) // 3)

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """Answer `messages`; a schema is validated, and a text that fails gets one attempt at repair.

        `on_text` is asked with no text twice a second while nothing comes; its yes ends the request.
        With a schema nothing is streamed before it validates, for a repaired text may differ from the start.
        Raises ModelError for whatever the endpoint refuses, with the cure.
        """
        if decoding.schema is None:
            return self._completion(self._ask(messages, decoding, on_text))
        schema.check_schema(decoding.schema)
        hushed = hush(on_text)
        received = self._ask(messages, decoding, hushed)
        if received.finish == "cancelled":
            return self._completion(received)
        if wrong := schema.fault(received.text, decoding.schema):
            again = self._ask(with_repair(messages, received.text, wrong), decoding, hushed)
            received = again.after(received)
            if received.finish == "cancelled":
                return self._completion(received)
            schema.require(received.text, decoding.schema, finish=received.finish, max_tokens=decoding.max_tokens)
        if on_text is not None:
            on_text(received.text)
        return self._completion(received)

    def close(self) -> None:
        self._calls.close()

    def _ask(self, messages: Sequence[Message], decoding: Decoding, on_text: OnText | None) -> Received:
        body = request(
            self.name,
            messages,
            decoding,
            sampling=not self._settings.own_sampling,
            whole=self._soon(decoding) and (on_text is None or isinstance(on_text, Hushed)),
            # OpenAI's newer models refuse max_tokens, and most other servers know nothing else
            length_key="max_completion_tokens" if self._is_openai() else "max_tokens",
        )
        if decoding.schema is None or self._knows_json_schema:
            try:
                return self._send(body, decoding, on_text)
            except ModelError as error:
                if decoding.schema is None or not refuses_json_schema(error.__cause__):
                    raise
                self._knows_json_schema = False
        return self._send(json_mode(body, decoding), decoding, on_text)

    def _send(self, body: dict[str, Any], decoding: Decoding, on_text: OnText | None) -> Received:
        import httpx2
        import openai

        if not self._calls.open:
            raise self._closed()
        while not self._free.acquire(timeout=PAUSE):
            if on_text is not None and on_text(""):
                return NOTHING
        try:
            with closing(self._calls.chunks(body)) as chunks:
                received = read_stream(chunks, decoding=decoding, on_text=on_text)
            if not body.get("stream"):
                received = replace(received, seconds_to_first=0.0)  # nobody knows
            if received.finish == "cancelled" and not received.input_tokens:
                # who leaves before the endpoint says what it took pays by the estimate, not nothing
                asked = "".join(str(message.get("content") or "") for message in body["messages"])
                return replace(received, input_tokens=self.count_tokens(asked))
            return received
        except CancelledError:
            raise self._closed() from None
        except ModelError as error:
            fault, key = error, self._calls.key
            if key not in error.what:
                raise
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            settings, key = self._settings, self._calls.key
            fault = complain(
                error,
                model=settings.model,
                base_url=settings.base_url,
                api_key_env=settings.api_key_env,
                timeout=settings.timeout,
            )
            if key not in str(error):
                raise fault from error
        finally:
            self._free.release()
        # some servers repeat the key in their refusal
        raise ModelError(fault.what.replace(key, "[key]"), cure=fault.cure, retryable=fault.retryable)

    def _soon(self, decoding: Decoding) -> bool:
        """Whether all is written before silence would count as failure. Asked for whole, that takes half the time."""
        return decoding.max_tokens <= SLOWEST * self._settings.timeout

    def _closed(self) -> ModelError:
        return ModelError(f"the model '{self.name}' is closed", cure="make a new one")

    def _is_openai(self) -> bool:
        return urlsplit(self._settings.base_url).hostname == "api.openai.com"

    def _completion(self, received: Received) -> Completion:
        settings, cost = self._settings, None
        if settings.input_price is not None and settings.output_price is not None:
            spent = received.input_tokens * settings.input_price + received.output_tokens * settings.output_price
            cost = spent / 1_000_000
        usage = Usage(
            input_tokens=received.input_tokens,
            output_tokens=received.output_tokens,
            seconds=received.seconds,
            seconds_to_first_token=received.seconds_to_first,
            cost=cost,
        )
        return Completion(
            text=received.text,
            finish=received.finish,
            usage=usage,
            model=received.model or self.name,
            tool_calls=received.tool_calls,
            logprobs=received.logprobs,
            id=received.id,
        )
