"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}` with a status."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from gatewheel.kernel.errors import GatewheelError, MissingPart, ModelError, UserError
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


class ErrorDetail(TypedDict):
    """What was wrong with its cure, OpenAI's kind of error, the field, and a code for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    """Every error."""

    error: ErrorDetail


# for `responses=` of an endpoint
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request cannot be honoured"},
    401: {"model": ErrorBody, "description": "No key, or one that is not known"},
    403: {"model": ErrorBody, "description": "The key may not do this"},
    404: {"model": ErrorBody, "description": "Nothing has this name"},
    413: {"model": ErrorBody, "description": "The body is too large"},
    429: {"model": ErrorBody, "description": "Every place is taken, or a limit of the key is reached"},
    502: {"model": ErrorBody, "description": "The model failed"},
    503: {"model": ErrorBody, "description": "Not ready, or stopping"},
}
LATER = 5  # seconds after which a model that failed may be asked again
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
    told = message.encode("utf-8", "replace").decode()  # it may repeat half a surrogate pair of the request
    return {"error": {"message": told, "type": kind, "param": param, "code": code or None}}


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
        case ModelError():
            if error.retryable:
                return Fault(503, str(error), code="model_unavailable", retry_after=LATER)
            return Fault(400 if "context" in error.what else 502, str(error), code="model_error")
        case UserError():
            return Fault(400, str(error), code="invalid_value")
        case GatewheelError():
            return Fault(503, str(error), code="stopped")
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
    for kind in (Fault, GatewheelError, Busy, Gone, Exception):
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _ours(_: Request, error: Exception) -> Response:
    return answer(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    content = body(error.status_code, str(error.detail))
    return JSONResponse(content, status_code=error.status_code, headers=dict(error.headers or {}))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    message = f"{place or 'the body'}: {first['msg']}"
    return JSONResponse(body(400, message, code="invalid_value", param=place or None), status_code=400)
