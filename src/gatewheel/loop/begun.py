"""What a tuning began with: one that is resumed goes on with just that, whatever its suite holds by now.

By that it is also known what an interrupted one has learned, of which no artifact tells.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.data import cases, datasets
from gatewheel.data.datasets import Dataset
from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook

if TYPE_CHECKING:
    from gatewheel.loop.tuning import Lesson, Wanted

_KEY = "begun"
_NOTES = "steps"
_WORDLESS = ("log.txt", f"{_NOTES}.jsonl")


def keep(parts: Parts, run: str, lesson: Lesson) -> None:
    """Before the first step: which versions, and how many steps."""
    notes = _notes(parts, run)
    if _KEY not in notes:
        settings: Any = lesson.settings
        validation = lesson.validation.id if lesson.validation else ""
        notes.keep(_KEY, {"dataset": lesson.dataset.id, "validation": validation, "steps": settings.steps})


def has(parts: Parts, run: str) -> bool:
    """Whether a run has begun to learn."""
    return _KEY in _notes(parts, run)


def again(parts: Parts, run: str, wanted: Wanted) -> Wanted:
    """What is wanted of a run, by the versions and the steps that it began with, if it has."""
    notes = _notes(parts, run)
    if _KEY not in notes:
        return wanted
    said = notes[_KEY]
    changes = {**wanted.changes, "steps": said["steps"]}
    return replace(wanted, data=said["dataset"], validation=said["validation"], changes=changes)


def refuse_forgotten(parts: Parts, run: str) -> None:
    """Raises UserError for a run that began with what was forgotten since: of that nothing can be gone on with."""
    for one in _versions(_notes(parts, run)):
        dataset = datasets.find(parts.engine, one)
        if dataset.tainted:
            what = f"run {run} cannot go on: it learned of dataset {one[:12]}, which holds what was forgotten since"
            raise UserError(f"{what}: {'; '.join(dataset.tainted)}", cure=_cure(parts, run, dataset))


def learned_from(state: Path, versions: Collection[str]) -> Iterator[str]:
    """The runs that began with one of these versions and still hold words of it, by their ids, the oldest first."""
    for path in sorted((state / "runs").glob(f"*/{_NOTES}.jsonl")):
        run = path.parent.name
        if not set(versions).isdisjoint(_versions(Notebook(state, run, _NOTES))) and holds(state, run):
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


def _notes(parts: Parts, run: str) -> Notebook:
    return Notebook(parts.config.state, run, _NOTES)
