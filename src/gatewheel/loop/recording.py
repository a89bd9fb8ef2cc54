"""What becomes of a finished trace: sampled, blacked out, stored and exported, as `[trace]` says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.guard.redact import redact
from gatewheel.kernel import trace
from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.nouns import SpanRecord, Trace
from gatewheel.kernel.store.database import explain
from gatewheel.loop.compose import Parts


def record(parts: Parts, made: Trace, *, provider: str) -> str | None:
    """Store and export a trace; its id, or None when it was not stored.

    `provider` is the engine or service behind the model. With `[trace] store = false` only figures are exported, no
    text. With `redact` the names of documents are kept here, where forgetting needs them, and not exported. A trace
    that cannot be kept costs a note, not the answer.
    """
    settings = parts.config.trace
    if not trace.sampled(made.id, settings.sample):
        return None
    made = redacted(_completed(made, provider), settings.redact)
    sent = trace.without_sources(made) if settings.redact else made
    parts.exporter.offer(sent if settings.store else trace.without_texts(made))
    if not settings.store:
        return None
    try:
        trace.keep(parts.engine, made)
    except DBAPIError as error:
        parts.say(f"the trace was not kept: {explain(error)}")
        return None
    except OSError as error:
        parts.say(f"the trace was not kept: {error.strerror}")
        return None
    return made.id


def told(error: BaseException) -> str:
    """Why there is no answer, as a trace has it."""
    return str(error) if isinstance(error, GatewheelError) else f"{type(error).__name__}: {error}".removesuffix(": ")


def redacted(made: Trace, kinds: Iterable[str]) -> Trace:
    """The trace with what is of these kinds blacked out of every text in it."""
    kinds = tuple(kinds)
    if not kinds:
        return made

    def black(value: Any) -> Any:
        match value:
            case str():
                return redact(value, kinds)
            case dict():
                return {key: black(inner) for key, inner in value.items()}
            case list() | tuple():
                return [black(inner) for inner in value]
        return value

    spans = tuple(
        replace(
            span,
            attributes={
                name: value if name in trace.IDENTIFIERS else black(value) for name, value in span.attributes.items()
            },
        )
        for span in made.spans
    )
    return replace(made, question=black(made.question), answer=black(made.answer), error=black(made.error), spans=spans)


def _completed(made: Trace, provider: str) -> Trace:
    """The trace with the model that wrote, which only its spans know: an upstream may answer with another."""
    spans = tuple(_with_provider(span, provider) if _is_chat(span) else span for span in made.spans)
    chats = [span.attributes for span in spans if _is_chat(span)]
    model = chats[-1].get(trace.RESPONSE_MODEL, chats[-1].get(trace.MODEL)) if chats else made.model
    return replace(made, model=str(model), spans=spans)


def _is_chat(span: SpanRecord) -> bool:
    return span.attributes.get(trace.OPERATION) == "chat"


def _with_provider(span: SpanRecord, provider: str) -> SpanRecord:
    return replace(span, attributes={trace.PROVIDER: provider, **span.attributes})
