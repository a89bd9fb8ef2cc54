"""The OpenAPI 3.1 document of the service, exact enough to be pasted into a client generator or a ChatGPT Action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

DESCRIPTION = (
    "Answers from your own documents, with citations. `/v1/` speaks as OpenAI does; `/api/` is Gatewheel's own. "
    "Without API keys only this machine is served; with them each request carries one as a bearer token."
)
TAGS = [
    {"name": "ask", "description": "Ask, search, and see what can be asked."},
    {"name": "documents", "description": "What answers are made from."},
    {"name": "runs", "description": "Long work: follow, cancel, resume."},
    {"name": "evals", "description": "Suites, reports, and reports side by side."},
    {"name": "releases", "description": "What answers for each application, its gates, its history, and the way back."},
    {"name": "improve", "description": "What can be learned, tunings and whole turns of the wheel, drafts of cases."},
    {"name": "traces", "description": "What was asked and how it was answered."},
    {"name": "feedback", "description": "What people say of answers."},
]
_OPEN = ("/healthz", "/readyz")  # they ask for no key


def describe(app: FastAPI) -> None:
    """Let the application describe itself by this."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": app.root_path or "/", "description": "where this document was read"}],
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "`gatewheel keys create` prints one."}
    }
    document["security"] = [{"key": []}, {}]  # without keys, and by the session of the studio, none is needed
    for path, operation in _operations(document):
        # what does not validate is answered with 400, in OpenAI's shape
        operation["responses"] = {
            status: answer for status, answer in operation["responses"].items() if not _validation(status, answer)
        }
        for status, answer in operation["responses"].items():
            if status[0] in "45" and (content := answer.get("content")):
                # an error is JSON also where what was asked for is not
                answer["content"] = {"application/json": next(iter(content.values()))}
        if path in _OPEN:
            operation["security"] = []
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document.get("paths", {}).items():
        for operation in methods.values():
            yield path, operation


def _validation(status: str, answer: dict[str, Any]) -> bool:
    return status == "422" and "HTTPValidationError" in str(answer)
