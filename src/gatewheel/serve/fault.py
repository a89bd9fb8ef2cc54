"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}` with a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from gatewheel.kernel.errors import GatewheelError, MissingPart, ModelError, PromptTooLong, UserError
from gatewheel.kernel.store.database import explain
from gatewheel.serve.line import Busy, Gone

log = logging.getLogger("gatewheel.serve")
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


class ErrorBody(BaseModel):
    """What was wrong with its cure, OpenAI's kind of error, the field, and a code for programs."""

    model_config = ConfigDict(frozen=True)
    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """An error in OpenAI's shape."""

    model_config = ConfigDict(frozen=True)
    error: ErrorBody


MEANINGS = {
    400: "The request says something that cannot be done; `param` names where.",
    401: "A key is needed, or this one is not known.",
    403: "The key may not do this.",
    404: "There is no such thing, or the key may not see it.",
    409: "It is not in a state in which this can be done.",
    413: "The body is larger than `[serve] max_json_mb`, or `max_body_mb` for an upload.",
    429: "Too many at once, or the key's limit is reached; `Retry-After` says when to come back.",
    502: "The model's endpoint failed.",
    503: "A part that is needed is not there or not yet ready, or the store cannot be used.",
}
# for `responses=` of an endpoint of OpenAI's
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": meaning} for status, meaning in MEANINGS.items() if status != 409
}
# what pydantic finds wrong, in words that need no knowledge of Python
_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; leave it out",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "string_too_long": "may have {max_length} characters at most",
    "string_too_short": "must have {min_length} characters at least",
    "too_long": "may hold {max_length} {what} at most, not {actual_length}",
    "too_short": "must hold {min_length} {what} at least, not {actual_length}",
}
_PLACES = ("query", "path", "header", "cookie")  # of which a person who reads a message knows nothing
_NUMBERS = ("greater_than_equal", "greater_than", "less_than_equal", "less_than", "int_parsing", "float_parsing")
_REPEATED = {*_NUMBERS, "literal_error", "enum", "bool_parsing"}  # faults whose value is told; another may be a secret
LONGEST = 40  # characters of a value that is told
LATER = 5  # seconds after which a model or a store that failed may be asked again
LEFT = 499  # the client went away; nobody reads this answer


class Fault(Exception):
    """A request that is refused: status, message with its cure, and OpenAI's `code` and `param`."""

    def __init__(
        self, status: int, message: str, *, code: str = "", param: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after


def body(status: int, message: str, *, code: str = "", param: str | None = None) -> dict[str, Any]:
    """The shape of an error."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    where = None if param is None else _whole(param)
    return {"error": {"message": _whole(message), "type": kind, "param": where, "code": code or None}}


def _whole(text: str) -> str:
    """The text as UTF-8 can hold it: it may repeat half a surrogate pair of the request."""
    return text.encode("utf-8", "replace").decode()


def of(error: BaseException) -> Fault:
    """Any error of ours as a Fault."""
    match error:
        case Fault():
            return error
        case Busy():
            return Fault(429, f"{error}", code="queue_full", retry_after=error.retry_after)
        case Gone():
            return Fault(LEFT, "the client left", code="client_closed_request")
        case MissingPart():
            return Fault(503, str(error), code="missing_part")
        case PromptTooLong():
            return Fault(400, str(error), code="context_length_exceeded")
        case ModelError():
            if error.retryable:
                return Fault(503, str(error), code="model_unavailable", retry_after=LATER)
            return Fault(502, str(error), code="model_error")
        case UserError():
            return Fault(400, str(error), code="invalid_value")
        case GatewheelError():
            return Fault(503, str(error), code="stopped")
        case DBAPIError():
            log.error("the store failed", exc_info=error)
            return Fault(503, str(explain(error)), code="store_unavailable", retry_after=LATER)
    log.error("a defect of ours", exc_info=error)
    return Fault(500, "a defect of Gatewheel's; its log has the details", code="internal_error")


def answer(error: BaseException) -> Response:
    """An error as a response."""
    fault = of(error)
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
    content = body(fault.status, fault.message, code=fault.code, param=fault.param)
    return JSONResponse(content, status_code=fault.status, headers=headers)


def handle(app: FastAPI) -> None:
    """Every error of the service leaves in this shape."""
    for kind in (Fault, GatewheelError, Busy, Gone, DBAPIError, Exception):
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _ours(_: Request, error: Exception) -> Response:
    return answer(error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and _is_page(request):
        return HTMLResponse(request.app.state.nowhere, status_code=404, headers={"Vary": "Accept"})
    content = body(error.status_code, str(error.detail))
    return JSONResponse(content, status_code=error.status_code, headers=dict(error.headers or {}))


def _is_page(request: Request) -> bool:
    """Whether a person looks for a page; what belongs to programs is told to them in their own shape."""
    program = request.url.path.startswith(("/api/", "/v1/"))
    return not program and "text/html" in request.headers.get("accept", "")


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part != "body"]
    named = ".".join(place[1:] if place[0:1] and place[0] in _PLACES and len(place) > 1 else place)
    message = f"{named or 'the body'} {_wrong(first)}"
    return JSONResponse(body(400, message, code="invalid_value", param=".".join(place) or None), status_code=400)


def _wrong(found: Mapping[str, Any]) -> str:
    if found["type"] not in _WRONG:
        return f"cannot be taken: {found['msg']}"
    given = f"{found['input']}"
    what = "characters" if isinstance(found["input"], str) else "of them"
    words = _WRONG[found["type"]].format(**found.get("ctx", {}), what=what)
    return f"{words}, not {given}" if found["type"] in _REPEATED and 0 < len(given) <= LONGEST else words
