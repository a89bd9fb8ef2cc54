"""Traces are found by what people look for, on each engine, and nothing that somebody wrote stops them being kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert

from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Completion, Message, SpanRecord, ToolCall, Trace, Usage
from gatewheel.kernel.ports import Decoding
from gatewheel.kernel.store.schema import feedback, traces
from gatewheel.kernel.trace import Recorder, keep, sampled, search

WORDS = st.text("aB%_\\é '", max_size=4)


@dataclass(frozen=True, kw_only=True)
class Said:
    trace: int
    created: float
    author: str
    thumb: str | None


SAID = st.builds(
    Said,
    trace=st.integers(0, 5),
    created=st.sampled_from([1.0, 2.0, 3.0]),
    author=st.sampled_from(["", "k1"]),
    thumb=st.sampled_from(["up", "down", None]),
)


def made(number: int, **changes: Any) -> Trace:
    plain = Trace(
        id=f"{number:032x}",
        created=float(number),
        kind="ask",
        question="q",
        answer="a",
        abstained=False,
        variant="v",
        seconds=0.5,
        input_tokens=3,
        output_tokens=4,
    )
    return replace(plain, **changes)


@st.composite
def kept(draw: st.DrawFn) -> list[Trace]:
    return [
        made(
            number,
            created=draw(st.sampled_from([1.0, 1.5, 2.0])),
            kind=draw(st.sampled_from(["ask", "chat"])),
            question=draw(WORDS),
            answer=draw(WORDS),
            abstained=draw(st.booleans()),
            variant=draw(st.sampled_from(["ab", "abc", "Ab"])),
            key=draw(st.sampled_from(["", "k1"])),
            model="m",
            cost=draw(st.sampled_from([None, 0.25])),
            error=draw(st.sampled_from(["", "broke"])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "text": WORDS,
        "kind": st.sampled_from(["ask", "chat"]),
        "abstained": st.booleans(),
        "thumb": st.sampled_from(["up", "down"]),
        "since": st.sampled_from([1.2, 1.5]),
        "variant": st.sampled_from(["a", "ab", "abc", "a%", "A", "b"]),
        "keys": st.sets(st.sampled_from(["", "k1"])),
        "before": st.sampled_from([1.5, 2.0]),
    },
)


def wanted(one: Trace, said: Sequence[tuple[int, Said]], asked: dict[str, Any]) -> bool:
    text = asked.get("text", "").lower()
    last: dict[str, tuple[float, int, str]] = {}
    for number, word in said:
        if f"{word.trace:032x}" == one.id and word.thumb:
            last[word.author] = max(last.get(word.author, (0.0, 0, "")), (word.created, number, word.thumb))
    return (
        (text in one.question.lower() or text in one.answer.lower())
        and one.kind == asked.get("kind", one.kind)
        and one.abstained == asked.get("abstained", one.abstained)
        and ("thumb" not in asked or asked["thumb"] == min((thumb for _, _, thumb in last.values()), default=""))
        and one.created >= asked.get("since", 0)
        and one.variant.startswith(asked.get("variant", ""))
        and one.key in asked.get("keys", {one.key})
        and one.created < asked.get("before", 9)
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept(), st.lists(SAID, max_size=6), FILTERS)
def test_search_gives_what_a_plain_filter_would(
    engine: Engine, rows: list[Trace], said: list[Said], asked: dict[str, Any]
) -> None:
    fill(engine, rows, said)
    expected = [one for one in rows if wanted(one, list(enumerate(said)), asked)]
    assert search(engine, **asked) == sorted(expected, key=lambda one: (one.created, one.id), reverse=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept(), st.integers(1, 4))
def test_pages_lead_through_every_trace_once(engine: Engine, rows: list[Trace], limit: int) -> None:
    fill(engine, rows, [])
    seen: list[Trace] = []
    before: float | None = None
    while page := search(engine, limit=limit, before=before):
        seen += page
        before = page[-1].created
    assert seen == sorted(rows, key=lambda one: (one.created, one.id), reverse=True)


def fill(engine: Engine, rows: Sequence[Trace], said: Sequence[Said]) -> None:
    with engine.begin() as connection:
        connection.execute(delete(traces))
        connection.execute(delete(feedback))
    for row in rows:
        keep(engine, row)
    with engine.begin() as connection:
        for number, word in enumerate(said):
            values = {"comment": "", "correction": "", "wrong_citations": [], "id": f"{number:064x}"}
            values |= {"trace": f"{word.trace:032x}", "created": word.created, "author": word.author}
            connection.execute(insert(feedback).values(**values, thumb=word.thumb))


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 100_000])
def test_whatever_is_written_can_be_kept_and_looked_for(engine: Engine, text: str) -> None:
    span = SpanRecord(name="s", start=0, seconds=1, attributes={"said": [{"content": text}]})
    keep(engine, made(1, question=text, answer=text, error=text, spans=(span,)))
    assert [one.id for one in search(engine, text=text)] == [made(1).id]
    assert search(engine, kind=text) == search(engine, variant=text) == search(engine, keys=[text]) == []


@given(st.integers(0, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_holds_the_smaller_one(number: int, one: float, other: float) -> None:
    name = f"{number:032x}"
    assert sampled(name, 1.0)
    assert not sampled(name, 0.0)
    if sampled(name, min(one, other)):
        assert sampled(name, max(one, other))


def test_a_sample_has_its_share() -> None:
    names = [sha256(bytes([number % 256, number // 256])).hexdigest()[:32] for number in range(2_000)]
    assert sum(sampled(name, 0.2) for name in names) / 2_000 == pytest.approx(0.2, abs=0.03)


def test_a_failing_step_says_by_what_and_lies_below_the_step_around_it() -> None:
    recorder = Recorder()
    with recorder.span("first"):
        pass
    with pytest.raises(ValueError), recorder.span("outer"):
        with recorder.span("inner one"):
            pass
        with recorder.span("inner two"):
            raise ValueError("no")
    names = [span.name for span in recorder.spans]
    assert names == ["first", "inner one", "inner two", "outer"]
    assert [trace.parent(recorder.spans, number) for number in range(4)] == [None, 3, 3, None]
    faults = [span.attributes.get(trace.ERROR_TYPE) for span in recorder.spans]
    assert faults == [None, None, "ValueError", "ValueError"]


def test_a_conversation_with_tools_has_the_shape_of_the_conventions() -> None:
    call = ToolCall(id="c1", name="weather", arguments='{"city": "Bern"}')
    messages = [
        Message(role="user", content="Rain?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="no", tool_call_id="c1"),
    ]
    before = trace.chat_request("m", messages, Decoding(seed=None))
    assert before[trace.INPUT_MESSAGES] == [
        {"role": "user", "parts": [{"type": "text", "content": "Rain?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"city": "Bern"}'}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "no"}]},
    ]
    assert trace.SEED not in before
    said = Completion(text="Dry.", finish="stop", usage=Usage(output_tokens=2), model="m-2", id="r")
    after = trace.chat_response(said)
    assert after[trace.OUTPUT_MESSAGES] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Dry."}], "finish_reason": "stop"}
    ]
    assert (after[trace.RESPONSE_MODEL], after[trace.RESPONSE_ID]) == ("m-2", "r")


def test_without_texts_only_numbers_and_names_are_left() -> None:
    decoding = Decoding(stop=("Milton",), seed=3, max_tokens=9)
    said = Completion(text="Milton", finish="stop", usage=Usage(output_tokens=2), model="m-2", id="r")
    asked = trace.chat_request("m", [Message(role="user", content="Milton?")], decoding)
    read = {trace.DOCUMENTS: [{"id": "p", "source": "poets/Milton.md", "score": 0.5}]}
    written = {**asked, **trace.chat_response(said), **read, trace.QUERY: "Milton", "what.is.new": ["Milton"]}
    spans = (
        SpanRecord(name="generate", start=0, seconds=1, attributes=written),
        SpanRecord(name="check", start=0, seconds=1, attributes={"gatewheel.quoted": True, trace.ERROR_TYPE: "Oops"}),
    )
    left = trace.without_texts(made(1, question="Milton?", answer="Milton", error="Milton fell", spans=spans))
    assert "Milton" not in repr(left)
    assert left.error == "Oops"
    assert left.spans[0].attributes[trace.SEED] == 3
    assert left.spans[0].attributes[trace.DOCUMENTS] == [{"id": "p", "score": 0.5}]
    assert left.spans[0].attributes[trace.MODEL] == "m"
    assert left.spans[1].attributes["gatewheel.quoted"] is True
