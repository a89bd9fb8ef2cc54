"""Cases as JSON Lines, one a line. A fault is told with file, line and cure, and nothing of the file is taken.

A case is known by what it asks and expects: spelling out the same in another form, or finding a better source for it,
makes no new case. The split knows it by what it asks alone, so that mending what is expected is no way around it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, Any

from gatewheel.data.lines import numbered, record_of, unsound
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Case, Message

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FIELDS = tuple(field.name for field in dataclasses.fields(Case))
LISTS = ("references", "sources", "evidence", "choices", "tags")
_TURN = tuple(field.name for field in dataclasses.fields(Message))


def read(path: Path) -> list[Case]:
    """The cases of a file, in its order. A case without an `id` has its identity for one.

    Raises UserError for the first fault, with its line; two cases of one id are a fault.
    """
    cases: list[Case] = []
    lines: dict[str, int] = {}
    for number, line in numbered(path):
        try:
            case = of_record(record_of(line))
            if case.id in lines:
                raise UserError(f"it has the id of line {lines[case.id]}, '{case.id[:80]}'", cure="remove one of them")
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error.what}", cure=error.cure) from None
        lines[case.id] = number
        cases.append(case)
    if not cases:
        raise UserError(f"{path.name} holds no cases", cure='write one a line: {"question": "…", "references": ["…"]}')
    return cases


def write(path: Path, cases: Iterable[Case]) -> None:
    """Replace a file, whole or not at all, by what `read` gives back as it is.

    Raises UserError for a case that `read` would refuse, naming it; the file then stays as it was.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for case in cases:
        try:
            plain = to_record(case)
            if of_record(plain).id in seen:
                raise UserError("its id comes twice", cure="remove one of them")
        except UserError as error:
            name = case.id.encode("utf-8", "replace").decode()
            raise UserError(f"{path.name}: case '{name[:80]}': {error.what}", cure=error.cure) from None
        seen.add(case.id)
        lines.append(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
    replace(path, "".join(lines).encode())


def replace(path: Path, data: bytes) -> None:
    """Put these bytes in the place of a file, whole or not at all; its mode stays, and a link to it stays one.

    Raises UserError when they cannot be written.
    """
    place = Path(os.path.realpath(path))
    new = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with new.open("xb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), S_IMODE(place.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(place)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", cure="check its folder") from None
    finally:
        with suppress(OSError):  # what cannot be opened cannot be removed either, and says so with another error
            new.unlink()


def identity(case: Case) -> str:
    """The first 32 hexadecimal digits of the SHA-256 of what is asked and expected.

    White space inside of a line counts as one space; lines and their indentation stay, for they decide what a program
    does. Signs are in Unicode's form NFC, and the order of references means nothing.
    """
    expected = {
        "references": sorted({_by_line(reference) for reference in case.references}),
        "answerable": case.answerable,
        "label": _by_line(case.label),
    }
    return _digest(_asked(case, _by_line) | expected)


def split_key(case: Case) -> str:
    """By this the split knows a case: as `identity`, but of what is asked alone, and with all white space as one."""
    return _digest(_asked(case, folded))


def of_record(record: Mapping[str, Any]) -> Case:
    """A case from the keys and values of a JSON object. Raises UserError with key, value and cure."""
    from pydantic import ValidationError

    if fault := unsound(record):
        raise UserError(fault, cure="write what it stands for")
    for key in record:
        if key not in FIELDS:
            raise UserError(f"'{key}' is no key of a case", cure=did_you_mean(key, FIELDS))
    values = {"id": "", **record}
    for key in LISTS:
        if isinstance(values.get(key), str):
            values[key] = (values[key],)
    _check_turns(values.get("history", ()))
    try:
        case = _adapter().validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise UserError(f"{key}: is missing", cure=f'write "{key}": …') from None
        what = first["msg"].replace("Input should be", "must be")
        raise UserError(f"{key}: {what}, got {_shown(first['input'])}", cure=_cure(str(first["type"]))) from None
    if not case.question.strip():
        raise UserError("question: is blank", cure="ask something, or remove the case")
    if case.choices and case.label and case.label not in case.choices:
        cure = "write the right choice out, as it stands among them"
        raise UserError(f"label: {_shown(case.label)} is none of the choices", cure=cure)
    return case if case.id.strip() else dataclasses.replace(case, id=identity(case))


def to_record(case: Case) -> dict[str, Any]:
    """A case as a JSON object, without what it does not say; an id that is its identity is not said."""
    said = {key: value for key in FIELDS if (value := getattr(case, key)) not in ("", (), {}, True)}
    if case.history:
        said["history"] = [_plain_turn(message) for message in case.history]
    if said.get("id") == identity(case):
        del said["id"]
    return said


def _plain_turn(message: Message) -> dict[str, Any]:
    plain = dataclasses.asdict(message)
    return {key: value for key, value in plain.items() if value or key in ("role", "content")}


def folded(text: str) -> str:
    """The text in Unicode's form NFC, all white space as one space.

    >>> folded(" Who\\n wrote  it? ")
    'Who wrote it?'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def _by_line(text: str) -> str:
    lines = unicodedata.normalize("NFC", text).strip().splitlines()
    return "\n".join(line[: len(line) - len(line.lstrip())] + " ".join(line.split()) for line in lines)


def _asked(case: Case, fold: Callable[[str], str]) -> dict[str, Any]:
    turns = [
        [turn.role, fold(turn.content), *([call.name, call.arguments] for call in turn.tool_calls)]
        for turn in case.history
    ]
    asked = {"question": fold(case.question), "history": turns, "context": fold(case.context)}
    return {**asked, "choices": [fold(choice) for choice in case.choices]}


def _digest(plain: Mapping[str, Any]) -> str:
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _check_turns(history: Any) -> None:
    for place, turn in enumerate(history if isinstance(history, list | tuple) else ()):
        for key in turn if isinstance(turn, Mapping) else ():
            if key not in _TURN:
                raise UserError(f"history.{place}.{key}: is no key of a turn", cure=did_you_mean(key, _TURN))


@cache
def _adapter() -> TypeAdapter[Case]:
    from pydantic import TypeAdapter

    return TypeAdapter(Case)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _cure(fault: str) -> str:
    if fault.startswith("string"):
        return "put it in quotes"
    if fault.startswith("tuple"):
        return "write a list: […]"
    return "write true or false" if fault.startswith("bool") else "mend the value"
