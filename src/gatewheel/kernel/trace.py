"""One request as timed spans. Attribute names are OpenTelemetry's GenAI semantic conventions, pinned here at v1.41.0.

The trace itself is the root span; its spans lie below. Recording and storing are apart: a Recorder knows nothing about
databases.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, exists, func, insert, or_, select

from gatewheel.kernel.nouns import Completion, Message, SpanRecord, Trace
from gatewheel.kernel.ports import Decoding
from gatewheel.kernel.store.schema import feedback, traces

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT = "gen_ai.agent.name"
MODEL = "gen_ai.request.model"
MAX_TOKENS = "gen_ai.request.max_tokens"
TEMPERATURE = "gen_ai.request.temperature"
TOP_P = "gen_ai.request.top_p"
SEED = "gen_ai.request.seed"
STOP = "gen_ai.request.stop_sequences"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
QUERY = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
ERROR_TYPE = "error.type"

_KEEP = insert(traces)  # with values in it, it would be compiled for every trace

IDENTIFIERS = frozenset({OPERATION, PROVIDER, MODEL, RESPONSE_MODEL, RESPONSE_ID, FINISH, DOCUMENTS, ERROR_TYPE})
"""What names something. Any other text of a span may be what a person, a document or a model wrote."""


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
        except BaseException as error:
            attributes[ERROR_TYPE] = type(error).__name__
            raise
        finally:
            seconds = time.perf_counter() - began
            self.spans.append(
                SpanRecord(name=name, start=began - self._zero, seconds=seconds, attributes=dict(attributes))
            )

    def seconds(self) -> float:
        """Since the recorder was made."""
        return time.perf_counter() - self._zero


def parent(spans: Sequence[SpanRecord], number: int) -> int | None:
    """The index of the span around `spans[number]`; None is the trace itself.

    A recorder keeps a span when it ends, so the one around it comes later and began earlier.
    """
    start = spans[number].start
    return next((at for at in range(number + 1, len(spans)) if spans[at].start < start), None)


def chat_request(model: str, messages: Sequence[Message], decoding: Decoding) -> dict[str, Any]:
    """The attributes of a span that calls a model, as far as they are known before."""
    asked = {
        OPERATION: "chat",
        MODEL: model,
        MAX_TOKENS: decoding.max_tokens,
        TEMPERATURE: decoding.temperature,
        TOP_P: decoding.top_p,
        SEED: decoding.seed,
        STOP: list(decoding.stop) or None,
        INPUT_MESSAGES: [_message(message) for message in messages],
    }
    return {name: value for name, value in asked.items() if value is not None}


def chat_response(completion: Completion) -> dict[str, Any]:
    """The attributes that are known when the model has answered."""
    said = Message(role="assistant", content=completion.text, tool_calls=completion.tool_calls)
    return {
        RESPONSE_MODEL: completion.model,
        **({RESPONSE_ID: completion.id} if completion.id else {}),
        FINISH: [completion.finish],
        **({FIRST_CHUNK: first} if (first := completion.usage.seconds_to_first_token) else {}),
        INPUT_TOKENS: completion.usage.input_tokens,
        OUTPUT_TOKENS: completion.usage.output_tokens,
        OUTPUT_MESSAGES: [{**_message(said), "finish_reason": completion.finish}],
    }


def _message(message: Message) -> dict[str, Any]:
    """A message in the conventions' JSON."""
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        return {"role": "tool", "parts": [part]}
    parts: list[dict[str, Any]] = [{"type": "text", "content": message.content}] if message.content else []
    for call in message.tool_calls:
        parts.append({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments})
    return {"role": message.role, "parts": parts}


def without_texts(made: Trace) -> Trace:
    """The trace with nothing in it that anybody wrote: of its spans numbers and IDENTIFIERS stay, all else goes."""
    spans = tuple(
        replace(
            span,
            attributes={
                name: _nameless(value) if name == DOCUMENTS else value
                for name, value in span.attributes.items()
                if name in IDENTIFIERS or isinstance(value, int | float)
            },
        )
        for span in made.spans
    )
    kind = next((span.attributes[ERROR_TYPE] for span in spans if ERROR_TYPE in span.attributes), "failed")
    return replace(made, question="", answer="", error=str(kind) if made.error else "", spans=spans)


def without_sources(made: Trace) -> Trace:
    """The trace with its passages by their ids alone: names of files may be of people too."""
    spans = tuple(
        replace(span, attributes={**span.attributes, DOCUMENTS: _nameless(span.attributes[DOCUMENTS])})
        if DOCUMENTS in span.attributes
        else span
        for span in made.spans
    )
    return replace(made, spans=spans)


def _nameless(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Passages without their sources: people give names to files."""
    return [{name: value for name, value in one.items() if name != "source"} for one in documents]


def sampled(trace: str, share: float) -> bool:
    """Whether a trace belongs to this share of all, by its id alone: OpenTelemetry's TraceIdRatioBased."""
    return int(trace, 16) % 2**64 < round(share * 2**64)


def keep(engine: Engine, trace: Trace) -> None:
    """Write a trace. Signs that no database holds, NUL and lone surrogates, become others."""
    row = {**_fields(trace), "spans": [_fields(span) for span in trace.spans]}
    with engine.begin() as connection:
        connection.execute(_KEEP, {name: _storable(value) for name, value in row.items()})


def _fields(noun: Trace | SpanRecord) -> dict[str, Any]:
    return {name: getattr(noun, name) for name in noun.__dataclass_fields__}


def _storable(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {name: _storable(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_storable(inner) for inner in value]
    return value


def recent(engine: Engine, *, limit: int, keys: Collection[str] | None = None) -> list[Trace]:
    """The newest traces first, of these API keys; None: of all and of the owner."""
    return _read(engine, select(traces).where(*_of(keys)).order_by(*_NEWEST).limit(limit))


def find(engine: Engine, prefix: str, *, keys: Collection[str] | None = None) -> list[Trace]:
    """The traces whose id begins with `prefix`, ten at most; `keys` as in `recent`."""
    wanted = (_begins(traces.c.id, prefix), *_of(keys))
    return _read(engine, select(traces).where(*wanted).order_by(traces.c.id).limit(10))


def of_ids(engine: Engine, ids: Collection[str]) -> list[Trace]:
    """The traces of these ids that there are, the oldest first; a few hundred at once."""
    return _read(engine, select(traces).where(traces.c.id.in_(ids)).order_by(traces.c.created, traces.c.id))


def _of(keys: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if keys is None else [traces.c.key.in_([_storable(key) for key in keys])]


def search(  # noqa: PLR0913 (each is a filter)
    engine: Engine,
    *,
    text: str = "",
    kind: str = "",
    abstained: bool | None = None,
    thumb: str = "",
    since: float = 0.0,
    variant: str = "",
    keys: Collection[str] | None = None,
    limit: int = 50,
    before: float | None = None,
) -> list[Trace]:
    """The newest traces first that have all that is asked for; `keys` as in `recent`.

    `text` stands in the question or the answer, whatever its case; `variant` is the beginning of an id; `thumb` is what
    `verdicts` says; `since` and `before` are POSIX time stamps. Hand the `created` of the last one in as
    `before` for the next page: those made at the very same time come together, even where that is more than `limit`.
    """
    wanted: list[ColumnElement[bool]] = []
    if text:
        wanted.append(or_(_contains(engine, traces.c.question, text), _contains(engine, traces.c.answer, text)))
    if kind:
        wanted.append(traces.c.kind == _storable(kind))
    if abstained is not None:
        wanted.append(traces.c.abstained == abstained)
    if thumb:
        said = verdicts().subquery()
        wanted.append(traces.c.id.in_(select(said.c.trace).where(said.c.thumb == _storable(thumb))))
    if since:
        wanted.append(traces.c.created >= since)
    if variant:
        wanted.append(_begins(traces.c.variant, variant))
    wanted += _of(keys)
    if before is not None:
        wanted.append(traces.c.created < before)
    asked = select(traces).where(*wanted).order_by(*_NEWEST)
    page = _read(engine, asked.limit(limit))
    if len(page) < limit or not page:
        return page
    last = page[-1].created
    above = [trace for trace in page if trace.created > last]
    return above + _read(engine, asked.where(traces.c.created == last))


def verdicts() -> Select[Any]:
    """Rows (trace, thumb): what the thumbs on each trace come to, by the one definition that there is.

    Of each author the newest thumb counts; a trace is down when any of these is down, else up. A later comment without
    a thumb takes no thumb back.
    """
    later = feedback.alias()
    newer = or_(
        later.c.created > feedback.c.created,
        and_(later.c.created == feedback.c.created, later.c.id > feedback.c.id),
    )
    superseded = exists().where(
        later.c.trace == feedback.c.trace, later.c.author == feedback.c.author, later.c.thumb.is_not(None), newer
    )
    newest = select(feedback.c.trace, func.min(feedback.c.thumb).label("thumb"))  # "down" < "up"
    return newest.where(feedback.c.thumb.is_not(None), ~superseded.correlate(feedback)).group_by(feedback.c.trace)


_NEWEST = (traces.c.created.desc(), traces.c.id.desc())


def _contains(engine: Engine, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    place = func.instr if engine.dialect.name == "sqlite" else func.strpos
    found: ColumnElement[bool] = place(func.lower(column), func.lower(_storable(text))) > 0
    return found


def _begins(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    # ids are hexadecimal, so the range holds all of them and goes by the index; LIKE would take A for a on SQLite
    sought = _storable(prefix)
    return and_(column >= sought, column < sought + "g", func.substr(column, 1, len(sought)) == sought)


def _read(engine: Engine, asked: Select[Any]) -> list[Trace]:
    with engine.connect() as connection:
        return [_trace(row) for row in connection.execute(asked)]


def _trace(row: Any) -> Trace:
    values = dict(row._mapping)
    spans = tuple(SpanRecord(**span) for span in values.pop("spans"))
    return Trace(**values, spans=spans)
