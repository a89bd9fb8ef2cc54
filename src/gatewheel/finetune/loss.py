"""The loss of the reply tokens, and its gradient, without ever holding the logits of more than a few of them."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewheel.finetune.elementwise import surprise

TOKENS = 128  # at once: their logits over 49,152 words take 25 MB in float32


def cross_entropy(hidden: Tensor, head: Tensor, wanted: Tensor, share: float) -> tuple[float, Tensor]:
    """Sum of -log p over the rows of `hidden` (n, width), and the gradient of `share` times that sum.

    `head` is (vocabulary, width), `wanted` the token that should follow each row.
    """
    gradient = torch.empty_like(hidden)
    total = torch.zeros((), dtype=torch.float64, device=hidden.device)
    # room that is taken once: new pages for each part took four times as long as the softmax itself
    logits = hidden.new_empty(min(TOKENS, len(hidden)), len(head))
    wide = torch.empty_like(logits, dtype=torch.promote_types(hidden.dtype, torch.float32))
    for start in range(0, len(hidden), TOKENS):
        rows = slice(start, start + TOKENS)
        count = len(hidden[rows])
        torch.mm(hidden[rows], head.t(), out=logits[:count])
        total += surprise(logits[:count], wanted[rows], wide[:count])
        torch.mm(logits[:count], head, out=gradient[rows])
    return float(total), gradient.mul_(share)
