"""The threads of this process that compute a step together, each other examples of it, with gradients of its own.

The products of a small model are too short to be shared: two threads in each made a step no quicker than one did, two
that compute different examples nearly twice as quick. They read the same weights and pairs; a further one costs what
its micro-batch takes, and gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from gatewheel.finetune.llama import Llama

MOST = 4  # each holds a micro-batch; the threads that are left over share its products
T = TypeVar("T")
Compute = Callable[[Llama, T], float]


class Hands:
    """`threads` of the processor, and how many of them compute examples of their own."""

    def __init__(self, model: Llama, count: int, *, threads: int) -> None:
        self._models = [model, *(model.beside() for _ in range(count - 1))]
        each = max(1, threads // count)
        self._pool = ThreadPoolExecutor(count, "tuning", torch.set_num_threads, (each,)) if count > 1 else None

    def __len__(self) -> int:
        return len(self._models)

    def total(self, shares: Sequence[Sequence[T]], compute: Compute[T]) -> float:
        """The sum of what `compute` makes of every item of each hand's share, which the hands do side by side.

        The sum is that of the shares in their order, however long each took. Raises what `compute` raises, when all
        have ended.
        """
        busy = [(model, share) for model, share in zip(self._models, shares, strict=True) if share]
        if self._pool is None or len(busy) < 2:  # one alone has all threads for its products
            return sum(_sum(model, share, compute) for model, share in busy)
        under_way = [self._pool.submit(_sum, model, share, compute) for model, share in busy]
        wait(under_way)
        return sum(one.result() for one in under_way)

    def gather(self) -> None:
        """Add what the others found to the gradients of the first, and begin theirs at zero."""
        first = self._models[0].parameters()
        for other in self._models[1:]:
            for mine, theirs in zip(first, other.parameters(), strict=True):
                if theirs.grad is None:
                    continue
                mine.grad = theirs.grad.clone() if mine.grad is None else mine.grad.add_(theirs.grad)
                theirs.grad.zero_()

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()


def _sum(model: Llama, share: Sequence[T], compute: Compute[T]) -> float:
    return sum(compute(model, item) for item in share)
