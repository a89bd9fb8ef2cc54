"""What the endpoints of `/api/` share on the wire: texts that a store can hold, and how errors are declared."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import UserError
from gatewheel.serve.fault import Fault

MEANINGS = {
    400: "The request says something that cannot be done; `param` names where.",
    401: "A key is needed, or this one is not known.",
    403: "The key may not do this.",
    404: "There is no such thing, or the key may not see it.",
    409: "It is not in a state in which this can be done.",
    413: "The body is larger than `[serve] max_body_mb`.",
    429: "Too many at once, or the key's limit is reached; `Retry-After` says when to come back.",
    502: "The model's endpoint failed.",
    503: "A part that is needed is not there or not yet ready.",
}
COMMON = (400, 401, 403, 413, 429)  # 413: any request may carry a body


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold NUL")
    return text


Words = Annotated[str, AfterValidator(_plain), Field(json_schema_extra={"pattern": "^[^\\u0000]*$"})]
"""A text that every store can hold."""


class ErrorBody(BaseModel):
    """What was wrong and what to do."""

    model_config = ConfigDict(frozen=True)
    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """An error in OpenAI's shape."""

    model_config = ConfigDict(frozen=True)
    error: ErrorBody


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation as OpenAPI declares them: those of every request, and these."""
    return {status: {"model": Error, "description": MEANINGS[status]} for status in sorted({*COMMON, *more})}


def missing(error: UserError) -> Fault:
    """That something which the path names is not there."""
    return Fault(404, str(error), code="not_found")
