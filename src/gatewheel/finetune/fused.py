"""The attention of `attention.py` by torch's fused kernels, which read it in tiles: for CUDA, where they are quicker.

Examples of about the same length are padded to the longest of them and go through together. Padding stands behind what
is real, so a causal kernel never shows it to anyone. This is the one place where autograd finds a derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from gatewheel.finetune.attention import Heads


def suits(rows: Tensor) -> bool:
    """Flash attention (Dao 2023) is for half precision on CUDA."""
    return rows.is_cuda and rows.dtype in (torch.bfloat16, torch.float16)


def forward(out: Tensor, rows: Tensor, lengths: Sequence[int], heads: Heads) -> None:
    """As attention.forward."""
    for some in _together(tuple(lengths), rows.device):
        made = _attended(some.padded(rows), some, heads)
        out[some.places] = made.transpose(1, 2).reshape(some.count * some.longest, -1)[some.slots]


def back(gradient: Tensor, rows: Tensor, lengths: Sequence[int], heads: Heads) -> Tensor:
    """As attention.back."""
    found = torch.empty_like(rows)
    for some in _together(tuple(lengths), rows.device):
        padded = some.padded(rows).requires_grad_()
        with torch.enable_grad():
            made = _attended(padded, some, heads)
        given = some.padded(gradient).view(some.count, some.longest, heads.queries, heads.width)
        (turned,) = torch.autograd.grad(made, padded, given.transpose(1, 2))
        found[some.places] = turned[some.slots]
    return found


@dataclass(frozen=True, slots=True)
class _Together:
    """Examples that are computed at once: where their tokens stand, and where in `count` times `longest` rows."""

    count: int
    longest: int
    places: Tensor
    slots: Tensor

    def padded(self, rows: Tensor) -> Tensor:
        made = rows.new_zeros(self.count * self.longest, rows.shape[1])
        made[self.slots] = rows[self.places]
        return made


def _attended(padded: Tensor, some: _Together, heads: Heads) -> Tensor:
    """(count, queries, longest, width)"""
    parts = padded.view(some.count, some.longest, -1, heads.width).transpose(1, 2)
    query, key, value = torch.split(parts, [heads.queries, heads.keys, heads.keys], 1)
    return scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=heads.queries != heads.keys)


@lru_cache(maxsize=4)  # every layer asks for the same
def _together(lengths: tuple[int, ...], device: torch.device) -> list[_Together]:
    """Lengths from one power of two to the next together, so that less than half of what is computed is padding."""
    groups: dict[int, list[tuple[int, int]]] = {}
    start = 0
    for length in lengths:
        groups.setdefault(length.bit_length(), []).append((start, length))
        start += length
    found = []
    for members in groups.values():
        longest = max(length for _, length in members)
        places = [torch.arange(start, start + length) for start, length in members]
        slots = [torch.arange(length) + number * longest for number, (_, length) in enumerate(members)]
        found.append(_Together(len(members), longest, torch.cat(places).to(device), torch.cat(slots).to(device)))
    return found
