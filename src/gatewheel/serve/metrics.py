"""Figures of the service for Prometheus.

Each service has a registry of its own. Labels come from the configuration and the routes, never from what a client
sent, so that their number is bounded. Names and buckets of `gen_ai_…` are the semantic conventions' v1.41.0, with
Prometheus's suffixes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatewheel.kernel.nouns import Feedback, Usage
from gatewheel.serve.line import Line

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
LEFT = 499  # the client went before there was an answer
REJECTED = 429
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30)
DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
REQUEST = (0.002, 0.005, *DURATION)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576)


class Metrics:
    """What is counted. Any thread may call it."""

    def __init__(self) -> None:
        self.registry = one = CollectorRegistry()
        ProcessCollector(registry=one)
        by_route = ("route", "method")
        self.requests = Counter("gatewheel_requests", "Requests answered.", (*by_route, "status"), registry=one)
        self.seconds = Histogram(
            "gatewheel_request_seconds",
            "From a request to the end of its answer.",
            by_route,
            registry=one,
            buckets=REQUEST,
        )
        self.rejected = Counter("gatewheel_rejected", "Requests told to come back later (429).", registry=one)
        self.waiting = Gauge("gatewheel_queue_waiting", "Requests that wait for the engine.", registry=one)
        self.served = Gauge("gatewheel_queue_served", "Requests at the engine.", registry=one)
        self.slots = Gauge("gatewheel_queue_slots", "Requests that the engine takes at once.", registry=one)
        self._of_models()
        self.feedback = Counter("gatewheel_feedback", "Words of feedback: up, down or none.", ("thumb",), registry=one)

    def _of_models(self) -> None:
        one, model = self.registry, ("gen_ai_request_model",)
        self.answers = Counter("gatewheel_answers", "Answers of a model or application.", model, registry=one)
        self.abstentions = Counter("gatewheel_abstentions", "Answers that were none.", model, registry=one)
        self.dollars = Counter(
            "gatewheel_dollars", "What answers cost in US dollars, by known prices.", model, registry=one
        )
        self.first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Until the first token.",
            model,
            registry=one,
            buckets=FIRST_TOKEN,
        )
        self.generation = Histogram(
            "gen_ai_server_request_duration_seconds", "Of the generation.", model, registry=one, buckets=DURATION
        )
        self.tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens read and written; the sum is their count.",
            (*model, "gen_ai_token_type"),
            registry=one,
            buckets=TOKENS,
        )

    def answered(self, model: str, usage: Usage, *, abstained: bool = False) -> None:
        """One answer of a model or an application."""
        self.answers.labels(model).inc()
        if abstained:
            self.abstentions.labels(model).inc()
        if usage.cost:
            self.dollars.labels(model).inc(usage.cost)
        if not usage.seconds:
            return  # nothing was generated: an abstention, or a quote
        self.generation.labels(model).observe(usage.seconds)
        if usage.seconds_to_first_token:
            self.first_token.labels(model).observe(usage.seconds_to_first_token)
        self.tokens.labels(model, "input").observe(usage.input_tokens)
        self.tokens.labels(model, "output").observe(usage.output_tokens)

    def said(self, feedback: Feedback) -> None:
        """Something new was said of an answer."""
        self.feedback.labels(feedback.thumb or "none").inc()

    def text(self, line: Line, *, accept: str = "") -> tuple[bytes, str]:
        """All figures in the format that the scraper accepts, and its content type."""
        self.waiting.set(line.waiting)
        self.served.set(line.served)
        self.slots.set(line.slots)
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class Counted:
    """Counts and times every request to the end of its answer, streams too. ASGI; costs 20 µs a request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = LEFT

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                status = 500
            raise
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(route, method, status).inc()
        self._metrics.seconds.labels(route, method).observe(seconds)
        if status == REJECTED:
            self._metrics.rejected.inc()


def _route(scope: Mapping[str, Any]) -> str:
    """The template of the route, such as /api/runs/{id}; of what was mounted or refused before only what is known."""
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    inner = getattr(scope.get("route"), "path", "")
    return f"{mounted}{inner}" if "app_root_path" in scope else inner or "none"
