"""JSON Lines, and JSON with a list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewheel.data.lines import numbered, record_of
from gatewheel.kernel.errors import UserError


def rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | UserError]]:
    """Each object with its line, or with its number where the file is one list; a UserError for one that is none.

    Raises UserError when the file cannot be read.
    """
    if path.suffix.lower() == ".json" and (found := _whole(path)) is not None:
        for number, record in enumerate(found, 1):
            yield f"record {number}", record if isinstance(record, Mapping) else _no_object(record)
        return
    for number, line in numbered(path):
        try:
            yield f"line {number}", record_of(line)
        except UserError as error:
            yield f"line {number}", error


def _whole(path: Path) -> list[Any] | None:
    """The list that the file is, or has under "data"; None when it has an object a line."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.lineno > 1:
            return None
        what = f"{path.name}, line {error.lineno}: no JSON: {error.msg} at character {error.colno}"
        raise UserError(what, cure="mend the line") from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{path.name} is no JSON that can be read: {error}", cure="save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", cure="check the path and its permissions") from None
    if isinstance(value, dict):
        inner = [value[key] for key in ("data", "rows", "examples") if isinstance(value.get(key), list)]
        return inner[0] if inner else [value]
    return value if isinstance(value, list) else [value]


def _no_object(record: Any) -> UserError:
    return UserError(f"a JSON {type(record).__name__}, not an object", cure='write {"question": …}')
