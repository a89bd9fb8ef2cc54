"""An OTLP/HTTP receiver as teams have them: parses what arrives with OpenTelemetry's own protocol buffers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from listening import Reply, Request, listening


class Receiver:
    """What arrived: `spans` by name, the resources they came under, and the headers of each request."""

    def __init__(self, *, status: int = 200, wait: threading.Event | None = None) -> None:
        self.status = status
        self.wait = wait
        self.url = ""
        self.requests = 0
        self.headers: list[dict[str, str]] = []
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.paths: set[str] = set()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for resource in request.resource_spans:
            self.resources.append(plain(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> Any:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as Python values; JSON text is read."""

    def value(any_: AnyValue) -> Any:
        kind = any_.WhichOneof("value")
        if kind == "array_value":
            return [value(inner) for inner in any_.array_value.values]
        found = getattr(any_, kind)
        return json.loads(found) if kind == "string_value" and found[:1] in ("[", "{") else found

    def pair(one: KeyValue) -> tuple[str, Any]:
        return one.key, value(one.value)

    return dict(map(pair, attributes))


@contextmanager
def receiver(*, status: int = 200, wait: threading.Event | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of loopback; it answers with `status`, once `wait` is set."""
    heard = Receiver(status=status, wait=wait)

    def answer(request: Request) -> Reply:
        heard.requests += 1
        heard.paths.add(request.path)
        heard.headers.append({key.lower(): value for key, value in request.headers.items()})
        if heard.wait:
            heard.wait.wait(30)
        zipped = request.headers.get("Content-Encoding") == "gzip"
        heard.take(gzip.decompress(request.body) if zipped else request.body)
        return heard.status, {"Content-Type": "application/x-protobuf"}, b""

    with listening(answer) as heard.url:
        yield heard
