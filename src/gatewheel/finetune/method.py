"""A way to tune: settings, and whether the base is 4-bit; what is told on the way, what it gives. Loads no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import MissingPart
from gatewheel.kernel.example import Example
from gatewheel.kernel.settings import ScaleSettings

ALONE = ScaleSettings()
_NEEDED = ("torch", "transformers", "tokenizers", "gguf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A validation example as the model answers it now, greedily."""

    prompt: str
    reply: str
    written: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Where a tuning is. `loss` is the mean of the step's reply tokens in nats, `validation` that of the kept examples.

    `validation` and `samples` are there when it looked at them, `told` when there is something to say.
    """

    phase: Literal["reading", "learning", "looking", "done"]
    step: int = 0
    steps: int = 0
    loss: float | None = None
    validation: float | None = None
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    tokens_per_second: float = 0.0
    seconds_left: float | None = None
    samples: tuple[Sample, ...] = ()
    told: str = ""


Watch = Callable[[Point], bool | None]
"""Receives each point; returning True ends the tuning, and the best pairs so far are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuned:
    """What a tuning gave. `adapter` is a PEFT folder; its `adapter_model.safetensors` is an adapter by itself.

    `validation` is the loss of the kept examples before the first step, at the best one, and at the last one.
    """

    adapter: Path
    steps: int
    best_step: int
    stopped: Literal["done", "early", "asked"]
    loss: float
    validation: tuple[float, float, float] | None
    examples: int
    kept: int
    cut: int
    left_out: int
    tokens: int
    seconds: float
    advice: str
    samples: tuple[Sample, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """All that a tuning is made of: weights (a GGUF file or a Hugging Face folder), examples, settings, where to.

    `begins` is an adapter that it goes on from instead of beginning with pairs that change nothing.
    Plain values, so that every process that takes part can be given them.
    """

    base: Path
    examples: tuple[Example, ...]
    settings: Settings
    nf4: bool
    folder: Path
    begins: Path | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """LoRA or QLoRA with its settings; `begins` is an adapter that it goes on from."""

    name: Literal["lora", "qlora"]
    settings: Settings
    nf4: bool
    begins: Path | None = None

    def train(
        self,
        base: Path,
        examples: Sequence[Example],
        *,
        folder: Path,
        watch: Watch | None = None,
        scale: ScaleSettings = ALONE,
    ) -> Tuned:
        """Tune the weights at `base`; what is made lies in `folder`, and what was begun there is gone on with.

        `scale` says which processes share the work; `watch` is asked in this one.
        Raises MissingPart without the extra `train`, and what `gatewheel.finetune.spread.spread` raises.
        """
        self._require()
        from gatewheel.finetune.spread import spread

        task = Task(
            base=base.absolute(),
            examples=tuple(examples),
            settings=self.settings,
            nf4=self.nf4,
            folder=folder.absolute(),
            begins=self.begins and self.begins.absolute(),
        )
        return spread(task, scale, watch or _unwatched)

    def _require(self) -> None:
        if absent := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            raise MissingPart(f"tuning needs {', '.join(absent)}", cure="pip install 'gatewheel[train]'")


def _unwatched(_: Point) -> None:
    """Nobody looks on."""
