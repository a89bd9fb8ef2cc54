"""What a tuning began with: one that is resumed goes on with just that, whatever suite, index and settings are by now.

The examples lie in the run's folder until it is done. By the rest it is also known what an interrupted one has learned,
of which no artifact tells.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from gatewheel.data import cases, datasets
from gatewheel.data.datasets import Dataset
from gatewheel.kernel import catalog, runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.example import Example
from gatewheel.loop import tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook

if TYPE_CHECKING:
    from gatewheel.loop.tuning import Lesson, Wanted

_KEY = "begun"
_NOTES = "steps"
_LESSON = "lesson.json"
# fields of a lesson that JSON has as they are
_PLAIN = ("near", "without", "said", "use", "reasons", "shown", "begins")
_WORDLESS = ("log.txt", f"{_NOTES}.jsonl")


def keep(parts: Parts, run: str, lesson: Lesson) -> None:
    """Before the first step: which versions, how many steps, of which documents passages are shown; and the lesson."""
    file = _lesson(parts, run)
    if file.exists():
        return
    settings: Any = lesson.settings
    validation = lesson.validation.id if lesson.validation else ""
    said = {"dataset": lesson.dataset.id, "validation": validation, "steps": settings.steps}
    # before any text: by this note forgetting finds the run; what an attempt before was shown its samples may hold
    notes = _notes(parts, run)
    before = (notes.known.get(_KEY) or {}).get("shown", ())
    notes.keep(_KEY, {**said, "shown": sorted({*before, *lesson.shown})})
    plain = {name: getattr(lesson, name) for name in _PLAIN}
    plain |= {"dataset": lesson.dataset.id, "validation": validation, "path": str(lesson.path)}
    plain |= {"settings": lesson.settings.model_dump(mode="json"), "examples": [*map(asdict, lesson.examples)]}
    cases.replace(file, json.dumps(plain).encode())


def kept(parts: Parts, run: str) -> dict[str, Any]:
    """The fields of the lesson that an interrupted run began with; empty where none is kept. Raises UserError."""
    file = _lesson(parts, run)
    if not file.exists():
        return {}
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        made: Any = catalog.load("finetune", said["use"])
        return {
            **said,
            "dataset": datasets.find(parts.engine, said["dataset"]),
            "validation": datasets.find(parts.engine, said["validation"]) if said["validation"] else None,
            "examples": TypeAdapter(tuple[Example, ...]).validate_python(said["examples"]),
            "shown": tuple(said["shown"]),
            "path": Path(said["path"]),
            "settings": made.Settings.model_validate(said["settings"]),
        }
    except (ValueError, KeyError, TypeError) as error:
        what = f"{file} does not say what run {run} began with ({type(error).__name__})"
        raise UserError(what, cure="delete it, and the run asks its data again; or begin another tuning") from None


def done(parts: Parts, run: str) -> None:
    """Its adapter is kept: the examples are needed no more."""
    _lesson(parts, run).unlink(missing_ok=True)


def has(parts: Parts, run: str) -> bool:
    """Whether a run has begun to learn."""
    return _KEY in _notes(parts, run)


def again(parts: Parts, run: str, wanted: Wanted) -> Wanted:
    """What is wanted of a run whose lesson is not kept, by the versions and the steps that it began with, if it has."""
    notes = _notes(parts, run)
    if _KEY not in notes:
        return wanted
    said = notes[_KEY]
    changes = {**wanted.changes, "steps": said["steps"]}
    return replace(wanted, data=said["dataset"], validation=said["validation"], changes=changes)


def refuse_forgotten(parts: Parts, run: str) -> None:
    """Raises UserError for a run that began with what was forgotten since: of that nothing can be gone on with."""
    versions = [datasets.find(parts.engine, one) for one in _versions(_notes(parts, run))]
    for dataset in versions:
        if dataset.tainted:
            what = (
                f"run {run} cannot go on: it learned of dataset {dataset.id[:12]}, which holds what was forgotten since"
            )
            raise UserError(f"{what}: {'; '.join(dataset.tainted)}", cure=_cure(parts, run, dataset))
    if reasons := tainting.of_run(parts.engine, run):
        what = f"run {run} cannot go on: it learned of what was forgotten since: {tainting.told(reasons)}"
        raise UserError(what, cure=_cure(parts, run, versions[0]) if versions else "start another")


def learned_from(
    state: Path, versions: Collection[str], *, shown: Callable[[str], bool] = lambda _: False
) -> Iterator[str]:
    """The runs that began with one of these versions, by their ids, the oldest first.

    With those that were `shown` passages of a document: it says which documents are meant.
    """
    for path in sorted((state / "runs").glob(f"*/{_NOTES}.jsonl")):
        run = path.parent.name
        notes = Notebook(state, run, _NOTES)
        seen = (notes.known.get(_KEY) or {}).get("shown", ())
        if not set(versions).isdisjoint(_versions(notes)) or any(map(shown, seen)):
            yield run


def holds(state: Path, run: str) -> bool:
    """Whether a run's folder holds words of what it learned, or weights that learned them."""
    return any(path.name not in _WORDLESS for path in runs.folder(state, run).iterdir())


def leave(state: Path, run: str) -> None:
    """Of a run's folder only its log and which versions it began with, so that it is known why it cannot go on."""
    said = Notebook(state, run, _NOTES).known.get(_KEY)
    for path in runs.folder(state, run).iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in _WORDLESS:
            path.unlink(missing_ok=True)
    notes = runs.folder(state, run) / f"{_NOTES}.jsonl"
    if said:
        cases.replace(notes, json.dumps([_KEY, said]).encode() + b"\n")
    else:
        notes.unlink(missing_ok=True)


def _cure(parts: Parts, run: str, dataset: Dataset) -> str:
    found = runs.get(parts.engine, run)
    if found.kind == "improve":
        return f"start another turn: gatewheel improve --app {found.settings.get('app', 'main')}"
    if datasets.find(parts.engine, dataset.name).tainted:
        return "start another tuning, on data without it"
    said = found.settings
    command = f"gatewheel finetune {said.get('table', 'lora')} --data {dataset.name} --app {said.get('app', 'main')}"
    return f"start another on what is left: {command}"


def _versions(notes: Notebook) -> list[str]:
    said = notes.known.get(_KEY) or {}
    return [one for one in (said.get("dataset"), said.get("validation")) if one]


def _lesson(parts: Parts, run: str) -> Path:
    return runs.folder(parts.config.state, run) / _LESSON


def _notes(parts: Parts, run: str) -> Notebook:
    return Notebook(parts.config.state, run, _NOTES)
