"""The OpenAPI document holds: what it promises is what comes, whatever is sent; and what no schema allows is a 4xx."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]
# a model writes the answer: seconds each, so these are sent a few examples only
SLOW = {"/api/ask", "/v1/chat/completions", "/v1/completions", "/v1/responses"}
ENDLESS = {  # each may start a process
    "/api/ingest",
    "/api/documents",
    "/api/runs/{id}/resume",
    "/api/evals/suites/{suite}/run",
    "/api/releases/{app}/gate",
}
EXAMPLES = {GenerationMode.POSITIVE: 8, GenerationMode.NEGATIVE: 2}  # of each operation


@pytest.fixture(scope="module")
def quoting(serve: Any) -> Any:
    """A service whose applications quote, so that no model writes."""
    return serve(more='\n[app.quick]\nuse = "answer"\nmode = "quote"\n')


@pytest.fixture(scope="module")
def http(quoting: Any) -> Any:
    with httpx2.Client(base_url=quoting.base_url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def document(http: Any) -> dict[str, Any]:
    return http.get("/openapi.json").json()  # type: ignore[no-any-return]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb, one) for path, verbs in document["paths"].items() for verb, one in verbs.items()]


def test_every_operation_is_named_told_and_declares_its_errors(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["servers"]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    names = [one["operationId"] for _, _, one in operations(document)]
    assert len(names) == len(set(names))
    own = [one["operationId"] for path, _, one in operations(document) if not path.startswith("/v1/")]
    assert [name for name in own if name != name.lower()] == []
    for path, verb, one in operations(document):
        assert one["summary"], (path, verb)
        for status, answer in one["responses"].items():
            if status[0] in "45" and path not in ("/readyz", "/metrics"):
                assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
        if not path.startswith("/api/"):
            continue
        assert one["description"], (path, verb)
        assert one["tags"], (path, verb)
        assert {"400", "401", "403", "413", "429", "503"} <= set(one["responses"]), (path, verb)
        assert "422" not in one["responses"], (path, verb)


def tried(schema: Any, examples: int, mode: GenerationMode) -> None:
    found = [result.ok() for result in schema.get_all_operations()]
    assert found
    for operation in found:

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def each(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, timeout=120)

        with contextlib.suppress(Unsatisfiable):  # what takes no arguments cannot be called wrongly
            each()


# schemathesis draws from `random` in what it negates
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_is_promised_is_what_comes(quoting: Any, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{quoting.base_url}/openapi.json")
    tried(schema.exclude(path=sorted(SLOW | ENDLESS)), EXAMPLES[mode], mode)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_is_promised_is_what_comes_where_work_is_done(quoting: Any, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{quoting.base_url}/openapi.json")
    tried(schema.include(path=sorted(SLOW | ENDLESS)), 2, mode)


BODIES = {
    "deep": b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep and open": b"[" * 100_000,
    "not UTF-8": b'{"question": "\xff\xfe"}',
    "NUL": b'{"question": "\\u0000"}',
    "lone surrogate": b'{"question": "\\ud800"}',
    "huge number": b'{"question": ' + b"9" * 10_000 + b"}",
    "infinite": b'{"question": 1e999}',
    "not a number": b'{"question": NaN}',
    "wrong types": b'{"question": {"a": []}, "stream": "perhaps"}',
    "null": b"null",
    "empty": b"",
    "text": b"question=what",
    "cut off": b'{"question": "wh',
}
ENDPOINTS = ["/api/ask", "/api/feedback", "/api/ingest", "/v1/chat/completions", "/v1/embeddings", "/v1/responses"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_that_cannot_be_meant_is_a_4xx_in_the_shape_of_an_error(http: Any, path: str, body: str) -> None:
    answer = http.post(path, content=BODIES[body], headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "query",
    [
        "/api/traces?q=%00",
        "/api/traces?limit=0",
        "/api/traces?before=nan",
        "/api/traces?since=1e999",
        "/api/traces?abstained=perhaps",
        "/api/documents?page=99999999999999999999999",
        "/api/documents?size=-1",
        "/api/search?q=x&k=x",
        "/api/search",
        "/api/runs?limit=1e3",
        "/api/runs/%00",
        "/api/feedback?trace=%00",
    ],
)
def test_a_query_that_cannot_be_meant_is_a_4xx(http: Any, query: str) -> None:
    answer = http.get(query)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]


def test_a_body_that_is_too_large_is_told_so(serve: Any) -> None:
    small = serve(serve="max_body_mb = 1")
    for path in ("/api/ask", "/api/documents"):
        kind = {"/api/ask": "application/json", "/api/documents": "multipart/form-data; boundary=x"}[path]
        answer = httpx2.post(
            f"{small.base_url}{path}", content=b"x" * 2_000_000, headers={"content-type": kind}, timeout=60
        )
        assert answer.status_code == 413, answer.text
        assert json.loads(answer.text)["error"]["message"]
