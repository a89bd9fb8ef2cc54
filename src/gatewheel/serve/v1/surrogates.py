"""Refuses a body with half a surrogate pair: JSON can write one, no engine and no database takes it."""

from __future__ import annotations

import json
import re

from fastapi import Request

from gatewheel.serve.fault import Fault

# as an escape, or as the bytes that Python's json takes for one; a whole pair looks like this too
_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


async def whole_characters(request: Request) -> None:
    """A dependency. Raises Fault 400; what is no JSON is left to whoever reads it."""
    body = await request.body()
    if not _SUSPECT.search(body):
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "the body holds half a surrogate pair (\\ud800 to \\udfff alone); send whole characters"
        raise Fault(400, message, code="invalid_unicode") from None
    except (ValueError, RecursionError):
        return
