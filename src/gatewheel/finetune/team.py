"""The processes that compute a step together: what each takes of it, how they add up, and whose word they take.

They are those of torch's process group, whoever made it: `spread.py`, Ray Train, torchrun or accelerate. All hold the
same pairs and do the same updates; the first one alone is watched, writes samples and saves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from gatewheel.finetune.loading import device
from gatewheel.finetune.method import Point, Watch
from gatewheel.finetune.packing import Pack, dealt, micro_batches
from gatewheel.finetune.tokens import Row
from gatewheel.kernel.errors import Cancelled

_GO, _STOP, _CANCEL = range(3)


@dataclass(frozen=True, slots=True)
class Team:
    """This process, the `rank`-th of `size`. `shard` says that each holds a part of the base only."""

    rank: int = 0
    size: int = 1
    shard: bool = False

    @classmethod
    def here(cls, *, shard: bool = False) -> Team:
        """The process group of this process; without one it is alone, and holds all."""
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return cls()
        if "LOCAL_RANK" in os.environ and torch.cuda.device_count() > 1:  # torchrun leaves all on the first device
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        return cls(dist.get_rank(), dist.get_world_size(), shard)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(
        self, rows: Sequence[Row], tokens: int, hands: int = 1, *, trunks: bool = True
    ) -> list[list[tuple[Pack, int]]]:
        """What each hand of this process computes of the rows, in packs of so many tokens.

        Each pack counts once (1) or not (0): a base in parts must be asked for equally often by all processes, so one
        that has fewer packs computes some for nothing.
        """
        shares = [micro_batches(part, tokens, trunks=trunks) for part in dealt(rows, self.size * hands, trunks=trunks)]
        mine = [[(pack, 1) for pack in packs] for packs in shares[self.rank * hands :][:hands]]
        if self.shard:
            idle = max(len(packs) for packs in shares) - len(mine[0])
            shortest = min(rows, key=lambda row: len(row.tokens))
            mine[0] += [(Pack((shortest,)), 0) for _ in range(idle)]
        return mine

    def add(self, parameters: Sequence[Tensor]) -> None:
        """Make the gradient of each parameter the sum of what all processes found."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # it had no rows
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.ravel() for gradient in gradients])
        dist.all_reduce(together)
        for gradient, part in zip(gradients, torch.split(together, [each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def total(self, value: float) -> float:
        """The sum of what each process has."""
        if self.size == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64, device=device())
        dist.all_reduce(held)
        return float(held)

    def told(self, number: int) -> int:
        """What the first process says."""
        if self.size == 1:
            return number
        held = torch.tensor(number, device=device())
        dist.broadcast(held, 0)
        return int(held)

    def agreed(self, watch: Watch) -> Watch:
        """A watch for all of them, which asks that of the first; where it raises Cancelled, all do."""
        if self.size == 1:
            return watch

        def ask(point: Point) -> bool:
            word = self.told(_asked(watch, point) if self.first else _GO)
            if word == _CANCEL:
                raise Cancelled("stopped; the last checkpoint stays")
            return word == _STOP

        return ask


def _asked(watch: Watch, point: Point) -> int:
    try:
        return _STOP if watch(point) else _GO
    except Cancelled:
        return _CANCEL


ALONE = Team()
