"""A frozen tensor of which each process of a team holds an equal part, put together for as long as it is computed with.

What FSDP and ZeRO-3 (Rajbhandari et al. 2020) do with weights. These learn nothing, so there is no gradient to divide.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


class Shard:
    """Made of the whole tensor, of which it keeps the part of this process. `like` is empty, of its type and device."""

    def __init__(self, whole: Tensor) -> None:
        size = dist.get_world_size()
        self.shape, self.like = tuple(whole.shape), whole.new_empty(0)
        part = -(-whole.numel() // size)
        first = dist.get_rank() * part
        own = whole.reshape(-1)[first : first + part]
        self._part = own.new_zeros(part)
        self._part[: len(own)] = own

    def dense(self) -> Tensor:
        """The whole tensor. Every process of the team must ask for the same ones in the same order."""
        parts = self._part.new_empty(len(self._part) * dist.get_world_size())
        # as bytes, whose types every back end knows
        dist.all_gather_single(parts.view(torch.uint8), self._part.view(torch.uint8))
        return parts[: torch.Size(self.shape).numel()].view(self.shape)

    def bytes(self) -> int:
        """What this process holds of it."""
        return self._part.numel() * self._part.element_size()


def whole(held: Tensor | Shard) -> Tensor:
    """The tensor, wherever it lies."""
    return held if isinstance(held, Tensor) else held.dense()


def size(held: Tensor | Shard) -> int:
    """Bytes that this process holds of it."""
    return held.numel() * held.element_size() if isinstance(held, Tensor) else held.bytes()
