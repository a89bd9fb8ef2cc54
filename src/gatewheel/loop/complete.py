"""One call of a model without documents, recorded as a Trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewheel.kernel.nouns import Caller, Completion, Message
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.loop.compose import Parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A completion and the id of its trace, None when nothing is recorded."""

    completion: Completion
    trace: str | None


def complete(
    parts: Parts,
    messages: Sequence[Message],
    *,
    model: str,
    decoding: Decoding,
    on_text: OnText | None,
    caller: Caller,
) -> Completed:
    """Call `[model.<name>]`. Raises ConfigError, ModelError."""
    del caller
    return Completed(completion=parts.model(model).chat(messages, decoding=decoding, on_text=on_text), trace=None)
