"""What the figures of a service say is what happened, under labels that no client can multiply."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

import gatewheel as gw
from gatewheel.kernel.nouns import Feedback, Usage
from gatewheel.serve import app as application
from gatewheel.serve.line import Line
from gatewheel.serve.metrics import Counted, Metrics
from serving import Served

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(text: str) -> Figures:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(metrics: Metrics) -> Figures:
    return figures(metrics.text(Line(slots=2, queue=3))[0].decode())


def value(found: Figures, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


def small(metrics: Metrics) -> FastAPI:
    app = FastAPI()

    @app.get("/things/{id}")
    async def thing(id: str) -> dict[str, str]:  # noqa: A002
        if id == "broken":
            raise RuntimeError
        return {"id": id}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            await asyncio.sleep(0.05)
            yield "b"

        return StreamingResponse(pieces())

    @app.get("/busy")
    async def busy() -> PlainTextResponse:
        return PlainTextResponse("later", status_code=429)

    inner = Route("/{name}", lambda _: PlainTextResponse("file"))
    app.router.routes.append(Mount("/static", routes=[inner]))
    app.add_middleware(Counted, metrics=metrics)
    return app


def test_requests_are_counted_by_route_never_by_path() -> None:
    metrics = Metrics()
    with TestClient(small(metrics), raise_server_exceptions=False) as client:
        for path in ("/things/1", "/things/2", "/things/broken", "/nothing/1", "/nothing/2", "/static/a", "/static/b"):
            client.get(path)
        client.request("BREW", "/things/1")
    found = of(metrics)
    count = "gatewheel_requests_total"
    assert value(found, count, route="/things/{id}", method="GET", status="200") == 2
    assert value(found, count, route="/things/{id}", method="GET", status="500") == 1
    assert value(found, count, route="/things/{id}", method="other", status="405") == 1
    assert value(found, count, route="none", method="GET", status="404") == 2
    assert value(found, count, route="/static/{name}", method="GET", status="200") == 2
    assert value(found, "gatewheel_request_seconds_count", route="/things/{id}", method="GET") == 3


def test_a_stream_is_timed_to_its_end_and_a_rejection_counted() -> None:
    metrics = Metrics()
    with TestClient(small(metrics)) as client:
        client.get("/stream")
        client.get("/busy")
    found = of(metrics)
    assert value(found, "gatewheel_request_seconds_sum", route="/stream", method="GET") >= 0.05
    assert value(found, "gatewheel_rejected_total") == 1


def test_answers_leave_tokens_times_and_dollars() -> None:
    metrics = Metrics()
    usage = Usage(input_tokens=100, output_tokens=7, seconds=2.0, seconds_to_first_token=0.5, cost=0.25)
    metrics.answered("main", usage)
    metrics.answered("main", usage)
    metrics.answered("main", Usage(), abstained=True)
    metrics.said(Feedback(id="f", trace="t", created=1, thumb="up"))
    metrics.said(Feedback(id="f", trace="t", created=1, comment="hm"))
    found, model = of(metrics), {"gen_ai_request_model": "main"}
    assert value(found, "gatewheel_answers_total", **model) == 3
    assert value(found, "gatewheel_abstentions_total", **model) == 1
    assert value(found, "gatewheel_dollars_total", **model) == 0.5
    assert value(found, "gen_ai_client_token_usage_sum", **model, gen_ai_token_type="input") == 200
    assert value(found, "gen_ai_client_token_usage_sum", **model, gen_ai_token_type="output") == 14
    assert value(found, "gen_ai_server_time_to_first_token_seconds_sum", **model) == 1.0
    assert value(found, "gen_ai_server_request_duration_seconds_count", **model) == 2
    assert value(found, "gatewheel_feedback_total", thumb="up") == 1
    assert value(found, "gatewheel_feedback_total", thumb="none") == 1
    assert value(found, "gatewheel_queue_slots") == 2


def test_two_services_of_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.answered("main", Usage())
    assert value(of(other), "gatewheel_answers_total", gen_ai_request_model="main") == 0


def test_a_running_service_tells_its_figures_and_is_ready(served: Served) -> None:
    with httpx2.Client(base_url=served.base_url, timeout=120) as client:
        assert client.get("/healthz").json() == {"alive": True}
        assert served.service.ready.wait(60)
        assert client.get("/readyz").json() == {"ready": True, "reasons": []}
        before = figures(client.get("/metrics").text)
        asked = client.post("/api/ask", json={"question": "How many litres does the kettle hold?"})
        assert asked.status_code == 200, asked.text
        client.get("/api/documents/none.md")
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        after = figures(answer.text)
        wanted = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert wanted.text.endswith("# EOF\n")
    grown = {key for key in after if after[key] > before.get(key, 0)}
    assert {name for name, _ in grown} >= {"gatewheel_requests_total", "gatewheel_request_seconds_count"}
    route = {"route": "/api/ask", "method": "POST", "status": "200"}
    assert ("gatewheel_requests_total", frozenset(route.items())) in grown
    assert not any("none.md" in text for _, labels in after for _, text in labels)


def test_a_service_whose_database_is_gone_is_alive_but_not_ready(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    with gw.open(tmp_path) as project:
        app = application.create(project)
        at = app.state.service
        client = TestClient(app, raise_server_exceptions=False)  # without `with`: nothing is loaded
        not_loaded = client.get("/readyz")
        assert not_loaded.status_code == 503
        assert not_loaded.json()["reasons"] == ["the models are being loaded"]
        at.tried.set()
        assert "could not be loaded" in client.get("/readyz").json()["reasons"][0]
        at.ready.set()
        assert client.get("/readyz").status_code == 200
        project.parts.engine.dispose()
        (tmp_path / ".gatewheel" / "gatewheel.db").rename(tmp_path / "away.db")
        (tmp_path / ".gatewheel" / "gatewheel.db").mkdir()
        gone = client.get("/readyz")
        assert (gone.status_code, gone.json()["reasons"]) == (503, ["the database does not answer"])
        assert str(tmp_path) not in gone.text
        assert client.get("/healthz").status_code == 200
        at.closing.set()
        assert "stopping" in client.get("/readyz").json()["reasons"][0]
        at.close()


def test_many_threads_lose_no_count() -> None:
    metrics = Metrics()
    usage = Usage(input_tokens=1, output_tokens=1, seconds=1)

    def work() -> None:
        for _ in range(500):
            metrics.answered("main", usage)

    started = [threading.Thread(target=work) for _ in range(8)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert value(of(metrics), "gatewheel_answers_total", gen_ai_request_model="main") == 4_000
