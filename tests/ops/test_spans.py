"""A trace reaches a real OTLP receiver with the names, order and times of the conventions; a dead one harms nobody."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from gatewheel import __version__
from gatewheel.kernel import trace as names
from gatewheel.kernel.nouns import Completion, Message, Trace, Usage
from gatewheel.kernel.ports import Decoding
from gatewheel.kernel.trace import Recorder
from gatewheel.ops.spans import WAITING, Exporter
from receiving import plain, receiver


def made(question: str = "Why?", *, error: str = "") -> Trace:
    recorder = Recorder()
    with recorder.span("retrieve", **{names.OPERATION: "retrieval", names.QUERY: question}) as span:
        with recorder.span("encode"):
            pass
        span[names.DOCUMENTS] = [{"id": "p1", "score": 0.5}]
    asked = [Message(role="user", content=question)]
    usage = Usage(input_tokens=7, output_tokens=3, seconds=0.1, seconds_to_first_token=0.02)
    with recorder.span("generate", **names.chat_request("m", asked, Decoding(max_tokens=9, seed=4))) as span:
        if error:
            span[names.ERROR_TYPE] = "ModelError"
        else:
            span |= names.chat_response(Completion(text="So.", finish="stop", usage=usage, model="m-1", id="r1"))
    return Trace(
        id=recorder.id,
        created=recorder.created,
        kind="ask",
        question=question,
        answer="" if error else "So. [1]",
        abstained=False,
        variant="v" * 64,
        seconds=recorder.seconds(),
        input_tokens=7,
        output_tokens=3,
        spans=tuple(recorder.spans),
        model="m-1",
        cost=0.25,
        error=error,
    )


def sender(url: str, told: list[str]) -> Exporter:
    return Exporter(url, service="handbook", say=told.append)


def test_a_trace_arrives_as_the_conventions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    told: list[str] = []
    one = made()
    with receiver() as there:
        exporter = sender(there.url, told)
        exporter.offer(one)
        exporter.close()
    assert not told
    assert there.paths == {"/v1/traces"}
    assert there.headers[0]["x-team"] == "blue"
    assert there.resources[0]["service.name"] == "handbook"
    assert there.resources[0]["service.version"] == __version__

    root = there.named("invoke_agent handbook")
    retrieval, encode, chat = there.named("retrieval"), there.named("encode"), there.named("chat m")
    assert {span.trace_id.hex() for span in there.spans} == {one.id}
    assert len({span.span_id for span in there.spans}) == 4
    assert (root.parent_span_id, retrieval.parent_span_id, chat.parent_span_id) == (b"", root.span_id, root.span_id)
    assert encode.parent_span_id == retrieval.span_id
    assert root.start_time_unix_nano == pytest.approx(one.created * 1e9, abs=1e3)
    for span in there.spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    assert (root.kind, chat.kind, retrieval.kind, encode.kind) == (1, 3, 3, 1)  # INTERNAL, CLIENT

    assert plain(retrieval.attributes) == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.query.text": "Why?",
        "gen_ai.retrieval.documents": [{"id": "p1", "score": 0.5}],
    }
    assert plain(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 4,
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}],
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.02,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [{"type": "text", "content": "So."}], "finish_reason": "stop"}
        ],
    }
    at_root = plain(root.attributes)
    assert at_root["gen_ai.operation.name"] == "invoke_agent"
    assert at_root["gatewheel.variant"] == one.variant
    assert at_root["gatewheel.cost"] == 0.25
    assert {span.status.code for span in there.spans} == {0}


def test_names_are_those_of_the_conventions_package() -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    ours = {value for value in vars(names).values() if isinstance(value, str) and value.startswith("gen_ai.")}
    assert ours <= known


def test_a_failed_trace_arrives_as_failed() -> None:
    with receiver() as there:
        exporter = sender(there.url, [])
        exporter.offer(made(error="the model stopped; try again"))
        exporter.close()
    root, chat = there.named("invoke_agent handbook"), there.named("chat m")
    assert (root.status.code, root.status.message) == (2, "the model stopped; try again")
    assert chat.status.code == 2
    assert plain(root.attributes)["error.type"] == plain(chat.attributes)["error.type"] == "ModelError"


def test_closing_sends_what_waits_and_a_later_trace_still_arrives() -> None:
    with receiver() as there:
        exporter = sender(there.url + "/v1/traces", [])
        for _ in range(120):
            exporter.offer(made())
        exporter.close(patience=30)
        assert len({span.trace_id for span in there.spans}) == 120
        exporter.offer(made())
        exporter.close(patience=30)
    assert len({span.trace_id for span in there.spans}) == 121


def test_the_same_trace_has_the_same_spans_whoever_sends_it() -> None:
    one = made()
    with receiver() as there:
        for _ in range(2):
            exporter = sender(there.url, [])
            exporter.offer(one)
            exporter.close()
    assert len(there.spans) == 8
    assert len({span.span_id for span in there.spans}) == 4


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_told_once(status: int, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    with receiver(status=status) as there:
        exporter = sender(there.url, told)
        exporter.offer(made())
        while there.requests < 1:
            time.sleep(0.01)
        exporter.offer(made())
        exporter.close(patience=30)
    assert len(told) == 1
    assert there.url in told[0]
    assert not caplog.records


def test_nobody_waits_for_a_receiver_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    told: list[str] = []
    exporter = sender(url, told)
    exporter.offer(made())
    exporter.close(patience=0.2)
    assert len(told) == 1


def test_a_receiver_that_hangs_costs_traces_not_memory() -> None:
    told: list[str] = []
    go_on = threading.Event()
    one = made()
    with receiver(wait=go_on) as there:
        exporter = sender(there.url, told)
        for _ in range(WAITING + 200):
            exporter.offer(one)
        exporter.close(patience=0.1)
        go_on.set()
    assert len(told) == 1
    assert "dropped" in told[0]


def test_without_a_receiver_nothing_is_started() -> None:
    before = threading.active_count()
    exporter = sender("", [])
    exporter.offer(made())
    exporter.close()
    assert threading.active_count() == before
