"""The pairs that were learned as the adapter that everyone else reads."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewheel.finetune.llama import Llama
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import ModelError
from gatewheel.models.adapters import Adapter


def as_adapter(model: Llama, settings: Settings, *, base: str) -> Adapter:
    """The pairs of the model as they are now. `base` is the SHA-256 of the weights that they belong to."""
    found = [pair for linear in model.linears() for pair in linear.pairs()]
    return Adapter(
        rank=settings.rank,
        alpha=settings.alpha,
        rslora=settings.rslora,
        base=base,
        pairs={module: (a.float().cpu().numpy().copy(), b.float().cpu().numpy().copy()) for module, a, b, _ in found},
        magnitudes={module: own.float().cpu().numpy().ravel().copy() for module, _, _, own in found if own is not None},
    )


@torch.no_grad()
def take_over(model: Llama, adapter: Adapter, settings: Settings) -> None:
    """Set the pairs of the model to those of an adapter, so that a tuning goes on from it.

    Where the settings count pairs otherwise, B is that much smaller or larger: W + s B A is the same.
    Raises ModelError where the two have pairs for other linears, or of another rank.
    """
    ours = [pair for linear in model.linears() for pair in linear.pairs()]
    shapes = {module: tuple(a.shape) for module, a, _, _ in ours}
    if shapes != {module: pair[0].shape for module, pair in adapter.pairs.items()} or adapter.dora != settings.dora:
        what = f"the adapter has other pairs than rank {settings.rank} for {', '.join(settings.targets)}"
        raise ModelError(what, cure="set rank, targets and dora to those that it was trained with")
    for module, a, b, magnitude in ours:
        theirs = adapter.pairs[module]
        a.copy_(torch.from_numpy(theirs[0]))
        b.copy_(torch.from_numpy(theirs[1]) * (adapter.scale / settings.scale))
        if magnitude is not None:
            magnitude.copy_(torch.from_numpy(adapter.magnitudes[module])[:, None])
    model.refresh()


def copied(parameters: list[Tensor]) -> list[Tensor]:
    """The values as they are now, in memory of their own."""
    return [parameter.detach().clone() for parameter in parameters]


def put(model: Llama, values: list[Tensor]) -> None:
    """Set the pairs of the model to values that were copied from them."""
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.data.copy_(value)
    model.refresh()
