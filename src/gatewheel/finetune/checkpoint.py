"""The state of a tuning in one file, whole or not at all: pairs, moments of the optimiser, and how far it is.

The order of the examples follows from the seed and the step, so the step is the place in the data too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatewheel.kernel.errors import ModelError, UserError
from gatewheel.models import safetensors

FILE = "checkpoint.safetensors"


@dataclass(slots=True)
class Progress:
    """How far a tuning is. `fingerprint` names the base, the examples and the settings that decide the trajectory.

    `best` are the pairs with the least validation loss, `looks` how often it was not less since, `points` the curves.
    """

    fingerprint: str
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_step: int = 0
    best_loss: float | None = None
    looks: int = 0
    points: list[dict[str, Any]] = field(default_factory=list)


def save(folder: Path, progress: Progress, optimiser: torch.optim.Optimizer, best: list[Tensor]) -> None:
    """Write all that `restore` gives back; a checkpoint that is there already stays until this one is whole."""
    tensors: dict[str, Tensor] = {}
    for number, (parameter, state) in enumerate(_states(optimiser)):
        tensors[f"{number}.value"] = parameter.detach()
        tensors |= {f"{number}.{name}": value for name, value in state.items()}
    tensors |= {f"{number}.best": value for number, value in enumerate(best)}
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    rows = (value.cpu().numpy() for value in tensors.values())
    safetensors.write(folder / FILE, shapes, rows, metadata={"progress": json.dumps(asdict(progress))})


def restore(folder: Path, fingerprint: str, optimiser: torch.optim.Optimizer) -> tuple[Progress, list[Tensor]]:
    """What `save` was given, with values and moments in place; a new Progress where nothing was saved.

    Raises UserError when the file is of another tuning or damaged.
    """
    path = folder / FILE
    if not path.exists():
        return Progress(fingerprint), []
    try:
        held = safetensors.Tensors(path)
        progress = Progress(**json.loads(held.metadata["progress"]))
        tensors = {name: torch.from_numpy(held.read(name)) for name in held.entries}
    except (ModelError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} is not a checkpoint ({error})", cure="delete it; the tuning then starts anew"
        ) from error
    if progress.fingerprint != fingerprint:
        what = f"{path} is of a tuning with another base, other examples or other settings"
        raise UserError(what, cure="delete that file, and this one begins anew; or begin another")
    for number, (parameter, _) in enumerate(_states(optimiser)):
        parameter.data.copy_(tensors[f"{number}.value"])
        names = ("step", "exp_avg", "exp_avg_sq")
        state = {name: tensors[key] for name in names if (key := f"{number}.{name}") in tensors}
        if state:
            on = {name: value.to(parameter.device) if name != "step" else value for name, value in state.items()}
            optimiser.state[parameter] = on
    count = len(_states(optimiser))
    return progress, [tensors[f"{number}.best"] for number in range(count) if f"{number}.best" in tensors]


def _states(optimiser: torch.optim.Optimizer) -> list[tuple[Tensor, dict[str, Tensor]]]:
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    return [(parameter, optimiser.state.get(parameter, {})) for parameter in parameters]
