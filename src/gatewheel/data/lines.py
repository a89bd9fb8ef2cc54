"""JSON Lines with the number of each line, strictly: UTF-8, one object a line, no text that a store cannot hold."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import UserError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses the first, UTF-8 the others
_MARK = b"\xef\xbb\xbf"


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number from 1. Raises UserError when the file or a line cannot be read."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    text = line.removeprefix(_MARK if number == 1 else b"").decode("utf-8")
                except UnicodeDecodeError as error:
                    what = f"{path.name}, line {number}: byte {error.object[error.start]:#04x} is not UTF-8"
                    raise UserError(what, cure="save the file as UTF-8") from None
                if text.strip():
                    yield number, text
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", cure="check the path and its permissions") from None


def record_of(line: str) -> dict[str, Any]:
    """The object of a line. Raises UserError, which does not name the line."""
    try:
        record = json.loads(line, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UserError(f"no JSON: {error.msg} at character {error.pos + 1}", cure="mend the line") from None
    except (RecursionError, ValueError) as error:  # nested too deep; a number of too many digits; NaN
        raise UserError(f"no JSON that can be read: {error}", cure="mend the line") from None
    if not isinstance(record, dict):
        raise UserError(f"a JSON {type(record).__name__}, not an object", cure='write {"question": …}')
    return record


def unsound(value: Any) -> str:
    """What in a JSON value no store could hold, or an empty text."""
    try:
        return _unsound(value)
    except RecursionError:
        return "it is nested too deep"


def _unsound(value: Any) -> str:
    if isinstance(value, str):
        found = _UNSTORABLE.search(value)
        return f"it holds the sign U+{ord(found[0]):04X}, which is no text" if found else ""
    if isinstance(value, Mapping):
        return next((fault for pair in value.items() for each in pair if (fault := _unsound(each))), "")
    if isinstance(value, list | tuple):
        return next((fault for each in value if (fault := _unsound(each))), "")
    return f"{value} is no number of JSON" if isinstance(value, float) and not math.isfinite(value) else ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
