"""Which inputs of the low-rank pairs a step leaves out: drawn by seed, step and example, so that they can be again.

The derivative draws them anew, and so does a tuning that is resumed or shared by several processes. An example that
stands in a step twice has them left out alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor

from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row


@dataclass(frozen=True, slots=True)
class Dropout:
    """`seeds` has a number for each of the examples that lie one after another, `lengths` their tokens."""

    rate: float
    seeds: Sequence[int]
    lengths: Sequence[int]

    @classmethod
    def of(cls, rows: Sequence[Row], step: int, settings: Settings) -> Dropout | None:
        """Of these examples in that step; None where nothing is left out."""
        if not settings.dropout:
            return None
        seeds = [crc32(f"{settings.seed} {step} {row.tokens}".encode()) for row in rows]
        return cls(settings.dropout, seeds, [len(row.tokens) for row in rows])

    def mask(self, x: Tensor, name: str) -> Tensor:
        """Like x (n, width): 0 with the chance `rate`, else 1 / (1 - rate); drawn for the linears called `name`."""
        made, generator = torch.empty(x.shape, dtype=x.dtype, device=x.device), torch.Generator(x.device)
        least = round(self.rate * 2**16) - 2**15
        for seed, part in zip(self.seeds, torch.split(made, list(self.lengths)), strict=True):
            generator.manual_seed(crc32(name.encode(), seed))
            # four numbers of 16 bits from one of 64, a fifth of the time that bernoulli_ takes on a CPU
            drawn = torch.empty(-(-part.numel() // 4), dtype=torch.int64, device=x.device)
            drawn = drawn.random_(-(2**63), None, generator=generator).view(torch.int16)
            torch.ge(drawn[: part.numel()].view(part.shape), least, out=part)
        return made.div_(1 - round(self.rate * 2**16) / 2**16)
