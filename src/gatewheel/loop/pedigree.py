"""What an adapter says of itself: the weights, the cases and the settings that it was made of, and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.loop.recipes import digest, identity

if TYPE_CHECKING:
    from gatewheel.finetune.method import Tuned
    from gatewheel.loop.tuning import Lesson


def of(lesson: Lesson, *, app: str) -> dict[str, Any]:
    """Of what a tuning makes its adapter: two that say the same learn the same.

    `examples` is a digest of them as they are worded; of `adapter` it goes on.
    """
    return {
        "base": {"weights": lesson.said, "sha256": identity(str(lesson.path))},
        "dataset": lesson.dataset.id,
        **({"validation": lesson.validation.id} if lesson.validation else {}),
        **({"adapter": lesson.begins} if lesson.begins else {}),
        "app": app,
        "method": lesson.use,
        "settings": lesson.settings.model_dump(mode="json"),
        "examples": digest([asdict(one) for one in lesson.examples]),
        "shown": list(lesson.shown),
    }


@contextmanager
def marked(file: Path, made_of: Mapping[str, Any]) -> Iterator[Path]:
    """The file of an adapter to be kept, with a mark of what it was made of where it went on from another.

    Where no step made it better its pairs are those that it began with: without the mark it would be the other.
    """
    if "adapter" not in made_of:
        yield file
        return
    from gatewheel.models.safetensors import Tensors, write

    with tempfile.TemporaryDirectory() as folder:
        tensors, to = Tensors(file), Path(folder) / file.name
        shapes = {name: entry.shape for name, entry in tensors.entries.items()}
        values = (tensors.read(name) for name in shapes)
        write(to, shapes, values, metadata={**tensors.metadata, "made_of": digest(dict(made_of))})
        yield to


def told(done: Tuned, *, samples: bool = True) -> dict[str, Any]:
    """What the trainer says, without the points, which stand in the run's own notebook, and the folder, the run's.

    Its `samples` are words of the cases, and stay with the run.
    """
    left = ("adapter", "points") if samples else ("adapter", "points", "samples")
    return {key: value for key, value in asdict(done).items() if key not in left}
