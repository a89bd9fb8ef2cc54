"""What a block computes between its matrix products, each with its derivative. Runs without autograd.

Sums are in float32 at least, products in the type of the weights, as transformers does. These are torch's own fused
kernels, written into room that is there: torch.compile made a step no faster, and took half a minute to do so.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import silu


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def norm(out: Tensor, x: Tensor, weight: Tensor, eps: float) -> None:
    """The root-mean-square norm (Zhang and Sennrich, 2019) of each row of x, written to `out`."""
    wide = x.to(_wide(x))
    out.copy_((wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype) * weight)


def norm_back(gradient: Tensor, x: Tensor, weight: Tensor, eps: float, beside: Tensor) -> Tensor:
    """The gradient of x, from that of the norm, and added to `beside`: what came around the block."""
    wide = x.to(_wide(x))
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    unit = wide * scale
    given = gradient.to(wide.dtype) * weight
    return beside + (scale * (given - unit * (given * unit).mean(-1, keepdim=True))).to(x.dtype)


def swiglu(out: Tensor, both: Tensor) -> None:
    """silu(gate) · up (Shazeer, 2020) of rows that hold gate and up side by side, written to `out`."""
    gate, up = both.chunk(2, -1)
    torch.mul(silu(gate), up, out=out)


def swiglu_back(gradient: Tensor, both: Tensor) -> Tensor:
    """The gradient of gate and up, side by side."""
    gate, up = both.chunk(2, -1)
    found = torch.empty_like(both)
    of_gate, of_up = found.chunk(2, -1)
    torch.mul(silu(gate), gradient, out=of_up)
    torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=of_gate)
    return found


def rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> None:
    """Turn each head (n, heads, width) by its position, in place (RoFormer, Su et al. 2021; halves, as Llama does)."""
    first, second = heads.chunk(2, -1)
    turned = torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)
    heads.copy_(turned)


def surprise(logits: Tensor, wanted: Tensor, wide: Tensor) -> Tensor:
    """Sum of -log p(wanted); the logits become its gradient, softmax - one-hot. `wide` is room in float32."""
    wide.copy_(logits)
    torch.ops.aten._softmax.out(wide, -1, False, out=wide)
    right = wide.gather(1, wanted[:, None])
    found = -right.log()
    if (far := (right[:, 0] == 0).nonzero()[:, 0]).numel():  # beyond 104 nats a chance is no number any more
        rows = logits[far].to(wide.dtype)
        found[far, 0] = rows.logsumexp(-1) - rows.gather(1, wanted[far, None])[:, 0]
    wide.scatter_(1, wanted[:, None], right - 1)
    logits.copy_(wide)
    return found.sum()
