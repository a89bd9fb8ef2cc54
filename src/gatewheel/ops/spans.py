"""Traces as OpenTelemetry spans, sent to an OTLP receiver in a thread of its own.

An answer never waits for the receiver and never fails because of it. Ids are our own: a trace keeps its id, and those
of its spans are made from it, so whoever sends a trace twice sends the same spans.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gatewheel.kernel import trace as names
from gatewheel.kernel.nouns import SpanRecord, Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

WAITING = 1_000  # traces, about 10 MB; more than that the receiver does not take, and they are dropped
BATCH = 50
PATIENCE = 2.0  # seconds that closing gives the receiver
PATH = "/v1/traces"
CLIENT = {"chat", "retrieval"}  # operations that call something, by the conventions
THREAD = "gatewheel-otlp"
_SDK = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Exporter:
    """Sends traces to the OTLP/HTTP receiver at `url`; without one it does nothing.

    OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _CERTIFICATE and _COMPRESSION hold as for any OpenTelemetry program. What
    goes wrong is said once.
    """

    def __init__(self, url: str, *, service: str, say: Callable[[str], None]) -> None:
        self._url = url if not url or url.endswith(PATH) else url.rstrip("/") + PATH
        self._service = service
        self._say = say
        self._lock = threading.Lock()
        self._sending: _Sending | None = None
        self._warned = False

    def offer(self, trace: Trace) -> None:
        """Take a trace to be sent. Returns at once."""
        if not self._url:
            return
        with self._lock:
            if self._sending is None:
                self._sending = _Sending(waiting=queue.Queue(WAITING), given_up=threading.Event())
                # a daemon: a receiver that hangs must not keep the process
                threading.Thread(target=self._work, args=(self._sending,), name=THREAD, daemon=True).start()
            sending = self._sending
        try:
            sending.waiting.put_nowait(trace)
        except queue.Full:
            self._warn(f"is too slow; traces are dropped while {WAITING} wait")

    def close(self, *, patience: float = PATIENCE) -> None:
        """Send what waits, for at most so many seconds. Another trace may be offered afterwards."""
        with self._lock:
            sending, self._sending = self._sending, None
        if sending is None:
            return
        with contextlib.suppress(queue.Full):
            sending.waiting.put_nowait(None)
        if not sending.ended.wait(patience):
            sending.given_up.set()
            self._warn("did not take the last traces in time")

    def _work(self, sending: _Sending) -> None:
        try:
            exporter = _exporter(self._url)
        except (ValueError, OSError) as error:  # OTEL_EXPORTER_OTLP_… holds what it cannot
            self._warn(f"cannot be called: {error}")
            sending.ended.set()
            return
        resource = _resource(self._service)
        more = True
        while more and not sending.given_up.is_set():
            batch, more = _batch(sending.waiting)
            spans = [span for trace in batch for span in readable(trace, resource=resource)]
            if spans and not _sent(exporter, spans):
                self._warn("does not take them; they stay in the project's database if [trace] store is on")
        exporter.shutdown()
        sending.ended.set()

    def _warn(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            self._say(f"traces are not exported: the receiver {self._url} {what}")


@dataclass(frozen=True, kw_only=True)
class _Sending:
    """One thread at work: what waits for it, None being the last; whether to stop at once; whether it ended."""

    waiting: queue.Queue[Trace | None]
    given_up: threading.Event
    ended: threading.Event = field(default_factory=threading.Event)


def _batch(waiting: queue.Queue[Trace | None]) -> tuple[list[Trace], bool]:
    """What waits, after waiting for the first; and whether more may come."""
    batch: list[Trace] = []
    while len(batch) < BATCH:
        try:
            trace = waiting.get(block=not batch)
        except queue.Empty:
            break
        if trace is None:
            return batch, False
        batch.append(trace)
    return batch, True


def _exporter(url: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger(_SDK).addFilter(_is_not_ours)
    return OTLPSpanExporter(endpoint=url)


def _is_not_ours(record: logging.LogRecord) -> bool:
    """The exporter tells every attempt; we tell the first that failed."""
    return record.threadName != THREAD


def _sent(exporter: SpanExporter, spans: list[ReadableSpan]) -> bool:
    from opentelemetry.sdk.trace.export import SpanExportResult

    return exporter.export(spans) is SpanExportResult.SUCCESS


def _resource(service: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": service, "service.version": version("gatewheel")})


def readable(trace: Trace, *, resource: Resource) -> list[ReadableSpan]:
    """A trace as spans, its root first, with the names and kinds of the GenAI semantic conventions v1.41.0."""
    root = _root(trace, resource)
    contexts = [_context(trace.id, number) for number in range(len(trace.spans) + 1)]
    made = [root]
    for number, span in enumerate(trace.spans):
        above = names.parent(trace.spans, number)
        around = contexts[0] if above is None else contexts[above + 1]
        made.append(_span(trace, span, own=contexts[number + 1], above=around, resource=resource))
    return made


def _root(trace: Trace, resource: Resource) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanKind

    service = str(resource.attributes["service.name"])
    asked = trace.kind != "completion"
    attributes: dict[str, Any] = {
        **({names.OPERATION: "invoke_agent", names.AGENT: service} if asked else {}),
        "gatewheel.kind": trace.kind,
        "gatewheel.app": trace.app,
        "gatewheel.variant": trace.variant,
        "gatewheel.abstained": trace.abstained,
        "gatewheel.key": trace.key,
        "gatewheel.cost": trace.cost,
        names.MODEL: trace.model,
        names.INPUT_TOKENS: trace.input_tokens,
        names.OUTPUT_TOKENS: trace.output_tokens,
        names.INPUT_MESSAGES: _said("user", trace.question),
        names.OUTPUT_MESSAGES: _said("assistant", trace.answer),
        names.ERROR_TYPE: _fault(trace),
    }
    return ReadableSpan(
        name=f"invoke_agent {service}" if asked else "completion",
        context=_context(trace.id, 0),
        resource=resource,
        attributes=_plain(attributes),
        kind=SpanKind.INTERNAL,
        status=_status(trace.error),
        start_time=_nanoseconds(trace.created),
        end_time=_nanoseconds(trace.created + trace.seconds),
    )


def _span(trace: Trace, span: SpanRecord, *, own: SpanContext, above: SpanContext, resource: Resource) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanKind

    operation = str(span.attributes.get(names.OPERATION, ""))
    start = trace.created + span.start
    return ReadableSpan(
        name=f"{operation} {span.attributes.get(names.MODEL, '')}".strip() or span.name,
        context=own,
        parent=above,
        resource=resource,
        attributes=_plain(span.attributes),
        kind=SpanKind.CLIENT if operation in CLIENT else SpanKind.INTERNAL,
        status=_status(str(span.attributes.get(names.ERROR_TYPE, ""))),
        start_time=_nanoseconds(start),
        end_time=_nanoseconds(start + span.seconds),
    )


def _context(trace: str, number: int) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    digest = hashlib.sha256(f"{trace}:{number}".encode()).digest()
    return SpanContext(
        trace_id=int(trace, 16),
        span_id=int.from_bytes(digest[:8]),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _status(error: str) -> Any:
    from opentelemetry.trace import Status, StatusCode

    return Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET)


def _fault(trace: Trace) -> str:
    """The class of the error, by the span that failed; a trace without an error has none."""
    kinds = (span.attributes[names.ERROR_TYPE] for span in trace.spans if names.ERROR_TYPE in span.attributes)
    return str(next(kinds, "_OTHER")) if trace.error else ""


def _said(role: str, text: str) -> Iterable[Any]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]}] if text else []


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as OTLP takes them: nothing empty, what has structure as JSON text."""
    made: dict[str, Any] = {}
    for name, value in attributes.items():
        if value is None or value in ("", [], (), {}):
            continue
        match value:
            case list() | tuple() if all(isinstance(inner, str) for inner in value):
                made[name] = list(value)
            case list() | tuple() | dict():
                made[name] = json.dumps(value, ensure_ascii=False)
            case _:
                made[name] = value
    return made


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
