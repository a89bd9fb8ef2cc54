"""What a tuning began with: one that is resumed goes on with just that, whatever its suite holds by now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook

if TYPE_CHECKING:
    from gatewheel.loop.tuning import Lesson, Wanted

_KEY = "begun"


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


def _notes(parts: Parts, run: str) -> Notebook:
    return Notebook(parts.config.state, run, "steps")
