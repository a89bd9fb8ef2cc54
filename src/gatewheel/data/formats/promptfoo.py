"""Test cases of promptfoo: vars become the question and what belongs to it, assertions become references.

The question is the variable called question or query, else the one prompt with its variables filled in, else the only
variable. An assertion that names words of the answer becomes a reference; what is code, or a judge's rubric, is kept
in `meta` under "assert" and never run. Files are read from the folder of the configuration only.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewheel.data import chat
from gatewheel.data import fields as columns
from gatewheel.data.formats import borrowed, expected
from gatewheel.data.formats.borrowed import Code
from gatewheel.data.formats.template import fill
from gatewheel.kernel.errors import UserError

KEYS = ("tests", "scenarios")  # by these such a file is known
_ASKED = ("question", "query")
_TEXTS = (".txt", ".md", ".json", ".yaml", ".yml", ".csv", ".html", ".xml")
# only assertions expect something here: a variable called target may be the language to translate into
_UNGUESSED = {field: "" for field in columns.NAMES if field not in ("question", "context", "meta")}
_MOST = 100_000  # cases that the lists among the variables of one test may multiply to
Row = tuple[str, Mapping[str, Any] | UserError]
Rows = Callable[[Path], Iterator[Row]]


def rows(path: Path, *, fields: Mapping[str, str], read: Rows) -> Iterator[Row]:
    """A record of a case for each test and each combination of its variables; `read` reads tables and JSON Lines.

    Raises UserError when the configuration cannot be read, or its tests are made by code.
    """
    file = borrowed.load(path)
    config = file.value if isinstance(file.value, Mapping) else {"tests": file.value}
    default = config.get("defaultTest") or {}
    if isinstance(default, str):
        default = borrowed.load(borrowed.inside(path.parent, default)).value
    if not isinstance(default, Mapping):
        raise UserError(f"{path.name}: defaultTest: must be an object, got {default!r}", cure="mend it")
    prompt = _prompt(config.get("prompts"), path.parent)
    lines = file.lines.get("tests") or file.lines.get("", ())
    for place, test in _tests(config, lines, path, read):
        try:
            if isinstance(test, UserError):
                raise test
            for record in _records(_merged(default, test), prompt, fields, path.parent):
                yield place, record
        except UserError as error:
            yield place, error


def _tests(config: Mapping[str, Any], lines: Sequence[int], path: Path, read: Rows) -> Iterator[tuple[str, Any]]:
    tests = config.get("tests")
    for number, test in enumerate(tests if isinstance(tests, list) else [tests] if tests is not None else []):
        if isinstance(test, str):
            yield from _file(test, path, read)
        else:
            yield f"line {lines[number]}" if number < len(lines) else f"test {number + 1}", test
    for number, scenario in enumerate(_several(config, "scenarios"), 1):
        try:
            if not isinstance(scenario, Mapping) or isinstance(scenario.get("tests"), str):
                raise UserError("it stands in another file", cure="write it into this one")
            given, inner = (_several(scenario, key) or [{}] for key in ("config", "tests"))
            for each, test in itertools.product(given, inner):
                yield f"scenario {number}", _merged(each, test)
        except UserError as error:
            yield f"scenario {number}", error


def _several(where: Mapping[str, Any], key: str) -> list[Any]:
    value = where.get(key)
    if value is not None and not isinstance(value, list):
        raise UserError(f"{key}: must be a list, got {str(value)[:80]}", cure="write each with a - before it")
    return value or []


def _file(named: str, path: Path, read: Rows) -> Iterator[tuple[str, Any]]:
    """The tests of another file."""
    bare = named.removeprefix("file://")
    file = borrowed.inside(path.parent, bare if "://" in bare else bare.partition(":")[0])  # file:function of code
    if file.suffix.lower() in (".yaml", ".yml"):
        loaded = borrowed.load(file)
        tests = loaded.value if isinstance(loaded.value, list) else [loaded.value]
        for number, test in enumerate(tests, 1):
            yield f"{file.name}, test {number}", test
    elif file.suffix.lower() in (".csv", ".tsv", ".jsonl", ".json"):
        table = file.suffix.lower() in (".csv", ".tsv")
        for place, row in read(file):
            yield f"{file.name}, {place}", expected.of_row(row) if table and isinstance(row, Mapping) else row
    else:
        what = f"the tests of '{named}' are made by code or stand in a format that is not read"
        raise UserError(what, cure="write them as CSV, JSON Lines or YAML")


def _merged(default: Any, test: Any) -> dict[str, Any]:
    for each in (default, test):
        if not isinstance(each, Mapping):
            raise UserError(f"a test is an object, got {str(each)[:80]}", cure="write vars: and assert:")
        for key in ("vars", "metadata"):
            if not isinstance(each.get(key) or {}, Mapping):
                what = f"{key}: must be an object, got {str(each[key])[:80]}"
                raise UserError(what, cure="write its keys and values")
    merged = {key: {**(default.get(key) or {}), **(test.get(key) or {})} for key in ("vars", "metadata")}
    asserts = [*_several(default, "assert"), *_several(test, "assert")]
    return {**merged, "assert": asserts, "description": test.get("description") or ""}


def _records(test: Mapping[str, Any], prompt: str, fields: Mapping[str, str], folder: Path) -> Iterator[dict[str, Any]]:
    given = {str(key): value if isinstance(value, list) else [value] for key, value in test["vars"].items()}
    count = 1
    for every in given.values():
        count *= len(every)
    if count > _MOST:
        raise UserError(f"its lists multiply to {count:,} cases", cure=f"write fewer than {_MOST:,}")
    for values in itertools.product(*given.values()):
        yield _record(
            test, {key: _read(value, folder) for key, value in zip(given, values, strict=True)}, prompt, fields
        )


def _record(
    test: Mapping[str, Any], values: Mapping[str, Any], prompt: str, fields: Mapping[str, str]
) -> dict[str, Any]:
    row = {**test["metadata"], **values}
    fields = {**_UNGUESSED, **fields}
    if fields.get("question"):
        record = columns.record_of(row, fields)
    elif named := next((name for name in _ASKED if name in values), ""):
        record = columns.record_of(row, {**fields, "question": named})
    elif prompt:
        row.pop("question", None)
        record = {**columns.record_of(row, {**fields, "question": ""}), **_asked(fill(prompt, values))}
    elif len(values) == 1:
        record = columns.record_of(row, {**fields, "question": next(iter(values))})
    else:
        what = f"which of its variables asks is not clear: {', '.join(values) or 'there are none'}"
        raise UserError(what, cure="say so: --field question=…")
    found = expected.of_asserts(test["assert"], values)
    record["references"] = tuple(dict.fromkeys((*record.get("references", ()), *found.references)))
    if found.refusal:
        record["answerable"] = False
    kept = {"assert": list(found.kept), "description": test["description"]}
    record["meta"] = {**record.get("meta", {}), **{key: value for key, value in kept.items() if value}}
    return record


def _asked(text: str) -> dict[str, Any]:
    """A filled prompt: a text, or a conversation as JSON."""
    try:
        turns = json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        turns = None
    if not isinstance(turns, list):
        return {"question": text}
    made = chat.asked(turns, "prompt")
    return {key: made[key] for key in ("question", "history")}


def _prompt(prompts: Any, folder: Path) -> str:
    """The prompt when there is exactly one, and it is no code."""
    every = prompts if isinstance(prompts, list) else [prompts] if prompts else []
    if len(every) != 1:
        return ""
    only = every[0].get("raw", every[0].get("id", "")) if isinstance(every[0], Mapping) else every[0]
    if not isinstance(only, str):
        return ""
    if only.startswith("file://") or ("\n" not in only and only.endswith((".txt", ".md", ".json"))):
        return str(_read(f"file://{only.removeprefix('file://')}", folder)) if only.endswith(_TEXTS) else ""
    return "" if only.startswith("exec:") or only.endswith((".py", ".js", ".ts", ".mjs", ".cjs")) else only


def _read(value: Any, folder: Path) -> Any:
    """The value of a variable; the text of the file that it names."""
    if isinstance(value, Code):
        raise UserError(f"a variable is the code {value.name}, and an import runs no code", cure="write its value")
    if not isinstance(value, str) or not value.startswith("file://"):
        return value
    if not value.endswith(_TEXTS):
        raise UserError(f"'{value[:200]}' is no text, or code, and an import runs no code", cure="write its value")
    try:
        return borrowed.inside(folder, value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"'{value[:200]}' cannot be read: {error}", cure="save it as UTF-8") from None
