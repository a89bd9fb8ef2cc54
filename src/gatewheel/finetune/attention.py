"""Causal attention of several examples that lie one after another, none seeing another, with its derivative.

A block of queries meets only the keys that stand before its end, so that nothing is computed for padding and little for
the future. On a CPU plain products beat torch's fused attention (docs/finetune.md says by how much); CUDA has fused.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gatewheel.finetune import fused

QUERIES = 128  # a block: more compute more of the future, fewer make products too small to be quick


@dataclass(frozen=True, slots=True)
class Heads:
    """Query heads, key heads, and the width of each."""

    queries: int
    keys: int
    width: int


def forward(out: Tensor, rows: Tensor, lengths: Sequence[int], heads: Heads) -> None:
    """Write to `out` (n, queries · width) what the rows (n, (queries + 2 keys) · width) of rotated q, k and v make."""
    if fused.suits(rows):
        fused.forward(out, rows, lengths, heads)
        return
    for start, first, stop in _blocks(lengths):
        query, key, value = _taken(rows, start, first, stop, heads)
        chances = _chances(query, key, stop - first, heads)
        out[first:stop] = _rows(chances @ value, heads)


def newest(out: Tensor, rows: Tensor, heads: Heads) -> None:
    """Write what the last rows of one example make, as many as `out` has."""
    for first in range(len(rows) - len(out), len(rows), QUERIES):
        stop = min(first + QUERIES, len(rows))
        query, key, value = _taken(rows, 0, first, stop, heads)
        made = _rows(_chances(query, key, stop - first, heads) @ value, heads)
        out[len(out) - len(rows) + first :][: stop - first] = made


def back(gradient: Tensor, rows: Tensor, lengths: Sequence[int], heads: Heads) -> Tensor:
    """The gradient of the rows. The probabilities are computed again: they would take more room than all else."""
    if fused.suits(rows):
        return fused.back(gradient, rows, lengths, heads)
    found = torch.zeros_like(rows)
    split = heads.queries * heads.width
    for start, first, stop in _blocks(lengths):
        query, key, value = _taken(rows, start, first, stop, heads)
        chances = _chances(query, key, stop - first, heads)
        given = _grouped(gradient[first:stop], heads)
        turned = torch._softmax_backward_data(given @ value.transpose(1, 2), chances, -1, chances.dtype)
        found[first:stop, :split] = _rows((turned @ key).mul_(heads.width**-0.5), heads)
        keys = torch.cat((turned.transpose(1, 2) @ query, chances.transpose(1, 2) @ given))
        found[start:stop, split:] += keys.transpose(0, 1).reshape(stop - start, -1)
    return found


def _blocks(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Where an example starts, and the first and the end of some of its queries."""
    found, start = [], 0
    for length in lengths:
        end = start + length
        found += [(start, first, min(first + QUERIES, end)) for first in range(start, end, QUERIES)]
        start = end
    return found


def _taken(rows: Tensor, start: int, first: int, stop: int, heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """Scaled queries (keys, group · queries, width), keys and values (keys, all until stop, width)."""
    split = heads.queries * heads.width
    query = _grouped(rows[first:stop, :split], heads) * heads.width**-0.5
    both = rows[start:stop, split:].reshape(stop - start, 2 * heads.keys, heads.width).transpose(0, 1)
    return query, both[: heads.keys], both[heads.keys :]


def _grouped(rows: Tensor, heads: Heads) -> Tensor:
    """(n, queries · width) → (keys, group · n, width): the queries that read the same key lie together."""
    parts = rows.reshape(rows.shape[0], heads.keys, -1, heads.width)
    return parts.permute(1, 2, 0, 3).reshape(heads.keys, -1, heads.width)


def _rows(grouped: Tensor, heads: Heads) -> Tensor:
    """The way back."""
    group = heads.queries // heads.keys
    parts = grouped.reshape(heads.keys, group, -1, heads.width).permute(2, 0, 1, 3)
    return parts.reshape(parts.shape[0], heads.queries * heads.width)


def _chances(query: Tensor, key: Tensor, queries: int, heads: Heads) -> Tensor:
    """The softmax over the keys that each query may see."""
    group = heads.queries // heads.keys
    mask = _mask(queries, key.shape[1], group, query.dtype, query.device)
    return torch.baddbmm(mask, query, key.transpose(1, 2)).softmax(-1)


@lru_cache(maxsize=64)
def _mask(queries: int, keys: int, group: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    hidden = torch.full((queries, keys), float("-inf"), dtype=dtype, device=device).triu(keys - queries + 1)
    return hidden.repeat(group, 1)[None]
