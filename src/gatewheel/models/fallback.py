"""Several models as one: the first that is well answers, the next when it fails. Writes nothing itself.

Only a failure that may pass moves on (ModelError.retryable: no connection, timeout, 429, 5xx, a broken stream), and
only before a word was streamed, so that no answer is ever made of two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Completion, Message
from gatewheel.kernel.ports import Decoding, Model, OnText
from gatewheel.models.breaker import Breaker


class Settings(BaseModel):
    """`models` are names of other [model.<name>] tables, the preferred one first; `cooldown` is in seconds.

    A model that failed `failures` times in a row is passed over for `cooldown` seconds, then tried once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = Field(
        min_length=2,
        description="Names of other [model.<name>] tables, the preferred one first.",
        json_schema_extra={"names": "model"},
    )
    failures: int = Field(3, ge=1, description="Failures in a row after which a model is passed over.")
    cooldown: float = Field(30.0, gt=0, description="Seconds for which it is passed over; then it is tried once.")


def create(
    settings: Settings, *, model: Callable[[str], Model], on_progress: Callable[[str], None] | None = None
) -> Model:
    """All of the models, loaded now: the last one is needed at a moment when there is no time to load it.

    Raises what making them raises: MissingPart, ModelError.
    """
    del on_progress  # the models were given theirs
    return Fallback([(model(name), _breaker(settings)) for name in settings.models])


class Fallback:
    """Models in order of preference, each behind its breaker. They belong to whoever made them."""

    def __init__(self, models: Sequence[tuple[Model, Breaker]]) -> None:
        self._models = tuple(models)

    @property
    def name(self) -> str:
        return " or ".join(model.name for model, _ in self._models)

    @property
    def context_length(self) -> int:
        """Of the shortest: a prompt must fit whoever answers."""
        return min(model.context_length for model, _ in self._models)

    @property
    def parallel(self) -> int:
        """Of the preferred one; when another answers that takes fewer, the calls wait for their turn there."""
        return self._models[0][0].parallel

    def count_tokens(self, text: str) -> int:
        """By the model that counts the most."""
        return max(model.count_tokens(text) for model, _ in self._models)

    def chat(self, messages: Sequence[Message], *, decoding: Decoding, on_text: OnText | None = None) -> Completion:
        """The answer of the first model that gives one; its time includes that of the attempts before.

        Raises ModelError of the model at which it ended, or with every reason when none could answer.
        """
        started, reasons, streamed = time.perf_counter(), list[str](), False

        def receive(piece: str) -> bool | None:
            nonlocal streamed
            streamed = streamed or bool(piece)
            return on_text(piece) if on_text else None

        heard = on_text and receive
        for model, breaker in self._models:
            if not breaker.admits():
                reasons.append(f"{model.name} keeps failing and is tried again in {breaker.seconds_left:.0f} s")
                continue
            lost = time.perf_counter() - started
            try:
                completion = _attempt(model, breaker, messages, decoding, heard)
            except ModelError as error:
                if streamed or not error.retryable:
                    raise
                reasons.append(f"{model.name}: {error.what}")
                continue
            return _with_time(completion, lost)
        raise ModelError(f"no model could answer ({'; '.join(reasons)})", cure="try again later", retryable=True)

    def close(self) -> None:
        """Nothing to let go of: the models are closed by whoever made them."""


def _breaker(settings: Settings) -> Breaker:
    return Breaker(failures=settings.failures, cooldown=settings.cooldown)


def _attempt(
    model: Model, breaker: Breaker, messages: Sequence[Message], decoding: Decoding, on_text: OnText | None
) -> Completion:
    """One call, of which the breaker is told how it ended."""
    try:
        completion = model.chat(messages, decoding=decoding, on_text=on_text)
    except ModelError as error:
        # a request that was refused for its own fault was answered by a model that is well
        (breaker.failed if error.retryable else breaker.succeeded)()
        raise
    except BaseException:
        breaker.withdrew()
        raise
    breaker.succeeded()
    return completion


def _with_time(completion: Completion, lost: float) -> Completion:
    usage = completion.usage
    first = usage.seconds_to_first_token + lost if usage.seconds_to_first_token else 0.0
    return replace(completion, usage=replace(usage, seconds=usage.seconds + lost, seconds_to_first_token=first))
