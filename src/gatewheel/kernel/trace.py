"""One request as timed spans. Attribute names are OpenTelemetry's GenAI semantic conventions, pinned here at v1.41.0.

Recording and storing are apart: a Recorder knows nothing about databases.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, insert, select

from gatewheel.kernel.nouns import SpanRecord, Trace
from gatewheel.kernel.store.schema import traces

OPERATION = "gen_ai.operation.name"
MODEL = "gen_ai.request.model"
FINISH = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
QUERY = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"


class Recorder:
    """Collects the spans of one request."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)  # an OpenTelemetry trace id: 16 bytes
        self.created = time.time()
        self.spans: list[SpanRecord] = []
        self._zero = time.perf_counter()

    @contextmanager
    def span(self, name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
        """Time a step; the yielded dict takes attributes that are known only later. A failing step is kept too."""
        began = time.perf_counter()
        try:
            yield attributes
        finally:
            seconds = time.perf_counter() - began
            self.spans.append(
                SpanRecord(name=name, start=began - self._zero, seconds=seconds, attributes=dict(attributes))
            )

    def seconds(self) -> float:
        """Since the recorder was made."""
        return time.perf_counter() - self._zero


def keep(engine: Engine, trace: Trace) -> None:
    """Write a trace."""
    values = {name: getattr(trace, name) for name in Trace.__dataclass_fields__ if name != "spans"}
    with engine.begin() as connection:
        connection.execute(insert(traces).values(**values, spans=[asdict(span) for span in trace.spans]))


def recent(engine: Engine, *, limit: int) -> list[Trace]:
    """The newest traces first."""
    with engine.connect() as connection:
        rows = connection.execute(select(traces).order_by(traces.c.created.desc()).limit(limit))
        return [_trace(row) for row in rows]


def find(engine: Engine, prefix: str) -> list[Trace]:
    """The traces whose id begins with `prefix`."""
    with engine.connect() as connection:
        rows = connection.execute(select(traces).where(traces.c.id.startswith(prefix, autoescape=True)).limit(10))
        return [_trace(row) for row in rows]


def _trace(row: Any) -> Trace:
    values = dict(row._mapping)
    spans = tuple(SpanRecord(**span) for span in values.pop("spans"))
    return Trace(**values, spans=spans)
