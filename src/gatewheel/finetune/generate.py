"""Greedy replies of the model as it is now, with the pairs in it: the samples of a tuning. Not made for serving."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gatewheel.finetune import elementwise
from gatewheel.finetune.llama import Llama, Turns
from gatewheel.finetune.shard import whole


@torch.no_grad()
def greedy(
    model: Llama, prompt: Sequence[int], *, end: int, at_most: int, agreed: Callable[[int], int] = int
) -> list[int]:
    """The likeliest token after `prompt`, then after that, until `end`, which is not told, or `at_most` of them.

    `agreed` is told each and says which it is to be: processes that hold parts of one base must write the same.
    """
    device = model.last_norm.device
    held: list[Tensor | None] = [None] * len(model.blocks)
    tokens, written = torch.tensor(list(prompt), device=device), list[int]()
    turns = model.turns([len(prompt) + at_most])
    while len(written) < at_most:
        start = len(prompt) + len(written) - len(tokens)
        here = Turns(turns.cosine[start:][: len(tokens)], turns.sine[start:][: len(tokens)], 0, [len(tokens)])
        x = whole(model.embedding)[tokens]
        for number, block in enumerate(model.blocks):
            x, held[number] = block.newest(x, here, held[number])
        last = torch.empty_like(x[-1:])
        elementwise.norm(last, x[-1:], model.last_norm, model.eps)
        token = agreed(int((last @ whole(model.head).t()).argmax()))
        if token == end:
            break
        written.append(token)
        tokens = torch.tensor([token], device=device)
    return written
