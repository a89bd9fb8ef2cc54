"""What the endpoints of `/api/` share on the wire: texts that a store can hold, and how errors are declared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.serve.fault import MEANINGS, Error, Fault

COMMON = (400, 401, 403, 413, 429, 503)  # 413: any request may carry a body; 503: any may need the store
_HALF = re.compile("[\ud800-\udfff]")


def _plain(text: str) -> str:
    if "\0" in text or _HALF.search(text):
        raise ValueError("must not hold NUL or half a surrogate pair")
    return text


Words = Annotated[str, AfterValidator(_plain), Field(json_schema_extra={"pattern": "^[^\\u0000]*$"})]
"""A text that every store can hold."""


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation as OpenAPI declares them: those of every request, and these."""
    return {status: {"model": Error, "description": MEANINGS[status]} for status in sorted({*COMMON, *more})}


def seen_reasons(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a gate said, to who does not see every document.

    Why a case had no answer may name what it was about, and a taint what was forgotten; why a file could not be read,
    or a judge does not count, may repeat a case.
    """
    return {**said, "reasons": [{**one, "text": ""} if _may_repeat(one) else one for one in said["reasons"]]}


def _may_repeat(reason: Mapping[str, Any]) -> bool:
    if reason["text"].startswith(f"{reason['metric']} does not count:"):
        return True
    told = (reason["rule"], reason["outcome"])
    return reason["rule"] in ("answered", "forgotten") or told == ("unseen", "inconclusive")


def seen(error: UserError, caller: Caller, what: str) -> str:
    """An error as the caller may read it: a fault of a suite may repeat a case, which not everybody may see."""
    return str(error) if caller.groups is None else f"{what}; a key that sees every document is told why"


def missing(error: UserError) -> Fault:
    """That something which the path names is not there."""
    return Fault(404, str(error), code="not_found")
