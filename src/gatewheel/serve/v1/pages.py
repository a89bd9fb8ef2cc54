"""A page of a list, as OpenAI's clients turn them: so many after the one that they saw last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from gatewheel.serve.fault import Fault

Shape = TypeVar("Shape", bound=Any)


def page(shapes: Sequence[Shape], *, after: str, limit: int) -> tuple[list[Shape], bool]:
    """The shapes that follow the one with the id `after`, and whether there are more. Raises Fault 400."""
    start = 0
    if after:
        places = [place for place, one in enumerate(shapes) if one["id"] == after]
        if not places:
            raise Fault(400, "after: names nothing of this list; leave it out", code="invalid_value", param="after")
        start = places[0] + 1
    return list(shapes[start : start + limit]), len(shapes) > start + limit
