"""Blacks out what belongs to people in a case, by a function from text to text. Knows nothing about what that finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gatewheel.data.cases import identity, of_record, to_record
from gatewheel.kernel.nouns import Case

_NAMES = ("sources", "tags", "cluster")  # by these a case is found again
Black = Callable[[str], str]


def black_out(case: Case, black: Black) -> Case:
    """The case with every text in it blacked out; the same one where nothing was found.

    An id that its words made, or that holds something of that kind itself, becomes that of the words that are left.
    """
    plain = to_record(case)
    changed = {key: value if key in _NAMES else texts(value, black) for key, value in plain.items()}
    if changed == plain:
        return case
    made = of_record({**changed, "id": ""})
    own = case.id not in ("", identity(case)) and black(case.id) == case.id
    return dataclasses.replace(made, id=case.id) if own else made


def texts(value: Any, black: Black) -> Any:
    """A value as JSON has them with every text in it blacked out, but for the names of its members."""
    if isinstance(value, str):
        return black(value)
    if isinstance(value, Mapping):
        return {key: texts(inner, black) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(texts(inner, black) for inner in value)
    return value
