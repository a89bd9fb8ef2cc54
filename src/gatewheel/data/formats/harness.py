"""Tasks of the lm-evaluation-harness: a YAML file whose templates make questions of the rows of a data file.

`doc_to_text`, `doc_to_target`, `doc_to_choice` and `target_delimiter` mean what they mean there (lm_eval/api/task.py):
the name of a column, or a Jinja2 template. What is Python code (`!function`) is never run, and nothing is downloaded.
Few-shot examples are a matter of the suite.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewheel.data import fields
from gatewheel.data.formats import borrowed
from gatewheel.data.formats.borrowed import Code
from gatewheel.data.formats.template import fill
from gatewheel.kernel.errors import UserError

KEYS = ("doc_to_text", "doc_to_target", "dataset_path")  # by these such a file is known
_BUILDERS = ("json", "csv", "parquet", "arrow")
_SPLITS = ("test_split", "validation_split", "training_split")
SCORED = ("multiple_choice", "loglikelihood_rolling")  # by log-likelihood
_DEEPEST = 5  # files that include one another
Rows = Callable[[Path], Iterator[tuple[str, Mapping[str, Any] | UserError]]]


def rows(path: Path, *, data: Path | None, read: Rows) -> Iterator[tuple[str, Mapping[str, Any] | UserError]]:
    """A record of a case for each row of `data`, else of the file that the task names; `read` reads such files.

    Raises UserError for a task that is code, or whose rows are not here.
    """
    task = _load(path)
    _refuse(task, path)
    file = data or _data(task, path)
    for place, row in read(file):
        place = f"{file.name}, {place}"
        try:
            yield place, row if isinstance(row, UserError) else _record(task, row)
        except UserError as error:
            yield place, error


def _load(path: Path, depth: int = 0) -> dict[str, Any]:
    task = borrowed.load(path).value
    if not isinstance(task, dict):
        raise UserError(f"{path.name} is no task", cure="a task has doc_to_text, doc_to_target and dataset_path")
    included = task.pop("include", None)
    if included is None:
        return task
    if depth >= _DEEPEST or not isinstance(included, str):
        raise UserError(f"{path.name}: include: {included!r} cannot be followed", cure="write the keys into the task")
    return {**_load(borrowed.inside(path.parent, included), depth + 1), **task}


def _refuse(task: Mapping[str, Any], path: Path) -> None:
    for key in ("process_docs", "doc_to_text", "doc_to_target", "doc_to_choice", "description", "custom_dataset"):
        if isinstance(task.get(key), Code):
            what = f"{path.name}: {key}: is the code {task[key].name}, and an import runs no code"
            raise UserError(what, cure="write it as a template, or import the rows themselves with --field")
    for key in ("doc_to_text", "doc_to_target"):
        if task.get(key) is None:
            raise UserError(f"{path.name}: {key}: is missing", cure="name a column, or write a template")
    if task.get("output_type") == "multiple_choice" and task.get("doc_to_choice") is None:
        raise UserError(f"{path.name}: doc_to_choice: is missing", cure="name the column of the choices")


def _data(task: Mapping[str, Any], path: Path) -> Path:
    """The file of the rows of the split that the harness would score."""
    named = str(task.get("dataset_path", ""))
    options = task.get("dataset_kwargs") or {}
    files = options.get("data_files") if isinstance(options, Mapping) else None
    if isinstance(files, Mapping):
        split = next((str(task[key]) for key in _SPLITS if task.get(key) is not None), "test")
        files = files.get(split.split("[")[0])
    if isinstance(files, list):
        files = files[0] if len(files) == 1 else None
    if isinstance(files, str):
        return borrowed.inside(path.parent, files)
    if named and named not in _BUILDERS and "://" not in named and (path.parent / named).exists():
        return borrowed.inside(path.parent, named)
    what = f"{path.name}: dataset_path: the rows of '{named}' are not here, and nothing is downloaded"
    raise UserError(what, cure="download them and name the file: --data FILE")


def _record(task: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    told = task.get("doc_to_choice")
    question = _text(task, row)
    target = _target(task["doc_to_target"], row, of_choice=told is not None)
    made: dict[str, Any] = {
        "question": fill(str(task.get("description") or ""), row) + question,
        "meta": {"doc": dict(row)},
    }
    if name := task.get("task"):
        made["tags"] = (str(name),)
    if task.get("output_type") in SCORED:  # the suite is asked the same way then
        made["meta"]["target_delimiter"] = str(task.get("target_delimiter", " "))
    if task.get("output_type") == "loglikelihood_rolling":  # the text is the target there, and what is read whole
        return {**made, "question": fields.text(_target(task["doc_to_target"], row, of_choice=False), "doc_to_target")}
    if told is None:
        # as it stands there, white space with it: the harness compares exactly
        every = target if isinstance(target, list | tuple) else (target,)
        return {**made, "references": tuple(dict.fromkeys(fields.text(one, "doc_to_target") for one in every))}
    among = _choices(told, row)
    return {**made, "choices": among, "label": fields.label(target, among, ())}


def _text(task: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    told = task["doc_to_text"]
    value = row[told] if isinstance(told, str) and told in row else fill(told, row) if isinstance(told, str) else told
    # there a number among choices says which of them the question has, as WinoGrande does
    if task.get("doc_to_choice") is not None and (isinstance(value, int) or str(value).isdigit()):
        what = f"doc_to_text gives the number {value}: the choices are the questions"
        raise UserError(what, cure="such tasks cannot be imported")
    return fields.text(value, str(told))


def _target(told: Any, row: Mapping[str, Any], *, of_choice: bool) -> Any:
    if not isinstance(told, str):
        return told
    if told in row:
        return row[told]
    made = fill(told, row)
    if made.isdecimal() and len(made) < 10 and of_choice:
        return int(made)
    return _literal(made) if made.startswith("[") and made.endswith("]") else made


def _choices(told: Any, row: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(told, str):
        told = row[told] if told in row else _literal(fill(told, row))
    if isinstance(told, Mapping):
        told = list(told.values())
    if not isinstance(told, list | tuple):
        raise UserError(
            f"doc_to_choice gives {str(told)[:80]!r}, which is no list", cure="name the column of the choices"
        )
    return tuple(fields.text(one, "doc_to_choice") for one in told)


def _literal(text: str) -> Any:
    """A Python literal as the harness reads it: constants and lists of them, nothing that runs; else the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return text
