"""From the columns of somebody else's data set to the fields of a case.

`fields` says which column is which, "question" → "query". A column may be a path into nested values, "answers.text",
and several columns, "A,B,C,D", are gathered where a field takes several texts. A field that is not named is looked for
under the names that public data sets use. What nothing claims is kept in `meta`; `meta` → "" drops it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from gatewheel.data import chat
from gatewheel.data.cases import FIELDS
from gatewheel.kernel.errors import UserError, did_you_mean

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "qid", "question_id", "query_id", "uid", "task_id"),
    "question": (
        *("question", "query", "user_input", "instruction", "problem", "prompt", "input", "claim", "ctx"),
        *("sentence", "text"),
    ),
    "references": (
        *("references", "reference", "answers", "answer", "ground_truth", "expected_output", "expected", "target"),
        *("output", "response", "completion", "best_answer"),
    ),
    "answerable": ("answerable", "is_answerable", "is_impossible"),
    "history": ("history",),
    "sources": ("sources", "doc_ids"),
    "evidence": ("evidence",),
    "choices": ("choices", "options", "endings"),
    "label": ("label", "answer_index", "answer_idx", "answerKey", "correct_answer", "gold", "intent", "verdict"),
    "context": ("context", "passage", "article"),
    "tags": ("tags", "slices"),
    "cluster": ("cluster", "group", "conversation_id"),
    "meta": ("meta", "metadata"),
}
LISTS = ("references", "sources", "evidence", "choices", "tags")
_NEEDED = ("question", "references", "choices", "label")
_OF_CHOICE = ("answer", "target")  # beside choices these name the right one
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def check(fields: Mapping[str, str]) -> None:
    """Raises UserError for a field that cases do not have."""
    for field in fields:
        if field not in FIELDS:
            raise UserError(f"'{field}' is no field of a case", cure=did_you_mean(field, FIELDS))


def record_of(row: Mapping[str, Any], fields: Mapping[str, str], *, cells: bool = False) -> dict[str, Any]:
    """The row as `cases.of_record` takes it. Raises UserError for a column that is missing or holds something else.

    `cells` says that the row is of a table, whose cells can hold a list only as its JSON.
    Only what was looked for by name, and is not needed to ask or to score, may hold something else: it stays in `meta`.
    """
    columns = _columns(row, fields)
    made: dict[str, Any] = {}
    for field, column in [*columns.items()]:
        if field == "meta" and "meta" in fields:
            continue  # these are the columns that it is made of
        try:
            value = _value(row, column)
            made[field] = _read(field, _unfolded(value) if cells and field in LISTS else value, column)
        except UserError:
            if field in fields or field in _NEEDED:
                raise
            del columns[field]
    if "choices" in columns:
        made["choices"], keys = choices(made["choices"])
    if "label" in columns:
        among = made.get("choices")
        made["label"] = label(made["label"], among, keys) if among else text(made["label"], columns["label"])
    if "question" not in made and isinstance(row.get("messages"), list):
        made |= {key: value for key, value in chat.asked(row["messages"]).items() if value}
    if not fields.get("answerable") and _answers_nothing(row, columns):
        made["answerable"] = False
    if "question" not in made and "question" not in fields:
        what = f"no column is known for a question: {', '.join(map(str, row))[:200]}"
        raise UserError(what, cure="name it: --field question=COLUMN")
    made["meta"] = _rest(row, columns, fields)
    return {key: value for key, value in made.items() if key == "question" or value not in ("", (), {})}


def _read(field: str, value: Any, column: str) -> Any:
    """The value of a column as its field has it; choices and label as they are, for each needs the other."""
    if field in ("choices", "label", "meta"):
        if field == "meta" and not isinstance(value, Mapping):
            raise UserError(f"'{column}' holds no object", cure="name columns")
        return value
    if field in LISTS:
        return texts(value, column)
    if field == "answerable":
        return _flag(value, column) is not (column.rpartition(".")[2] == "is_impossible")
    if field == "history":
        if value and not (isinstance(value, list) and all(isinstance(one, Mapping) and "role" in one for one in value)):
            raise UserError(f"'{column}' holds no turns with role and content", cure="name another column")
        return value or ()
    return text(value, column)


def text(value: Any, column: str) -> str:
    """A text or a number as text; nothing as an empty one. Raises UserError for a list or an object."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    what = f"'{column}' holds no text but a {type(value).__name__}"
    raise UserError(what, cure=f"name what is inside of it, such as {column}.text, or another column, or none")


def texts(value: Any, column: str) -> tuple[str, ...]:
    """Several texts: a list, a list inside of "text", or one text. Blank ones are left out."""
    if isinstance(value, Mapping):
        value = value["text"] if "text" in value else list(value.values())
    if not isinstance(value, list | tuple):
        value = (value,)
    found = (text(each, column) for each in value)
    return tuple(dict.fromkeys(each for each in found if each.strip()))


def _unfolded(cell: Any) -> Any:
    """The list that a cell holds: of quoted texts only, for [1, 3] may well be an answer."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            found = json.loads(cell)
            if found and all(isinstance(each, str) for each in found):
                return found
    return cell


def choices(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The choices with the keys that name them: A, B, C … where the data has none."""
    keys: Sequence[Any] = ()
    if isinstance(value, Mapping):
        keys = value["label"] if isinstance(value.get("label"), list) else () if "text" in value else list(value)
        value = value["text"] if "text" in value else list(value.values())
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if not isinstance(value, list | tuple):
        raise UserError(f"the choices are no list but a {type(value).__name__}", cure="name their columns: choices=A,B")
    made = tuple(text(each, "a choice") for each in value)  # all, also when two are alike: their places count
    return made, tuple(map(str, keys)) or tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(made)])


def label(value: Any, among: Sequence[str], keys: Sequence[str]) -> str:
    """The right one of the choices, named by its text, its key or its place from 0; an empty text when it is not told.

    Where the keys are numbers, 1, 2, 3, a number is a key before it is a text, and never a place.

    Raises UserError when it names none.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if value is None or value in (-1, "", "-1"):
        return ""
    said = str(value).strip()
    numbered = any(map(str.isdecimal, keys))  # a number is a key then, and no place
    if isinstance(value, str) and value in among and not (numbered and said in keys):
        return value
    if said in keys and len(keys) == len(among):
        return among[keys.index(said)]
    placed = isinstance(value, int | str) and not isinstance(value, bool) and not numbered
    if placed and said.isdecimal() and len(said) < 10 and int(said) < len(among):
        return among[int(said)]
    raise UserError(f"{str(value)[:80]!r} is none of the {len(among)} choices", cure="name another column as label")


def _columns(row: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    """Which column each field has in this row."""
    columns = {field: column for field, column in fields.items() if column}
    for field, names in NAMES.items():
        taken = set(columns.values())
        found = next((name for name in names if name in row and name not in taken), "")
        if found and field not in fields:
            columns[field] = found
    if "messages" in row and "question" not in fields:
        columns.pop("question", None)
    if "choices" in columns and "label" not in columns and columns.get("references") in _OF_CHOICE:
        columns["label"] = columns.pop("references")
    if columns.get("question") == "instruction" and "input" in row and "context" not in (*columns, *fields):
        columns["context"] = "input"  # Alpaca's form
    return columns


def _value(row: Mapping[str, Any], column: str) -> Any:
    if column in row:
        return row[column]
    if "," in column:
        return [_value(row, one.strip()) for one in column.split(",")]
    value: Any = row
    for step in column.split("."):
        if isinstance(value, list) and all(isinstance(one, Mapping) and step in one for one in value):
            value = [one[step] for one in value]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            raise UserError(f"there is no column '{column}'", cure=did_you_mean(column, map(str, row)))
    return value


def _flag(value: Any, column: str) -> bool:
    if isinstance(value, bool):
        return value
    if (word := str(value).strip().lower()) in _FLAGS:
        return _FLAGS[word]
    raise UserError(f"'{column}' is neither true nor false, got {str(value)[:80]!r}", cure="write true or false")


def _answers_nothing(row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
    """SQuAD 2 says by an empty list of answers that there is none."""
    value = row.get("answers") if columns.get("references") in ("answers", "answers.text") else None
    return isinstance(value, Mapping) and "answer_start" in value and not value.get("text")


def _rest(row: Mapping[str, Any], columns: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Any]:
    if fields.get("meta") == "":
        return {}
    if named := fields.get("meta"):
        return {name.strip(): _value(row, name.strip()) for name in named.split(",")}
    claimed = {part.strip().split(".")[0] for column in columns.values() for part in column.split(",")} | {
        *columns.values()
    }
    if "question" not in columns:
        claimed.add("messages")
    rest = {key: value for key, value in row.items() if key not in claimed and value not in (None, "", [], {})}
    inner = row.get(columns.get("meta", ""))
    return {**rest, **inner} if isinstance(inner, Mapping) else rest
