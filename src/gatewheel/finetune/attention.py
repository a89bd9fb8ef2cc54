"""Causal attention of several examples that lie one after another, none seeing another, with its derivative.

Before them may stand their trunk, the tokens that all of them begin with, which all of them see. A block of queries
meets only the keys that stand before its end, so that nothing is computed for padding and little for the future. On a
CPU plain products beat torch's fused attention (docs/finetune.md says by how much); CUDA has fused.py.
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


def forward(out: Tensor, rows: Tensor, trunk: int, lengths: Sequence[int], heads: Heads) -> None:
    """Write to `out` (n, queries · width) what the rows (n, (queries + 2 keys) · width) of rotated q, k and v make.

    The first `trunk` rows are those of the trunk; `lengths` are those of what each example has of its own.
    """
    if fused.suits(rows) and not trunk:
        fused.forward(out, rows, lengths, heads)
        return
    for block in _blocks(trunk, lengths):
        query, key, value = _taken(rows, block, heads)
        chances = _chances(query, key, block.stop - block.first, heads)
        out[block.first : block.stop] = _rows(chances @ value, heads)


def newest(out: Tensor, rows: Tensor, heads: Heads) -> None:
    """Write what the last rows of one example make, as many as `out` has."""
    for first in range(len(rows) - len(out), len(rows), QUERIES):
        stop = min(first + QUERIES, len(rows))
        query, key, value = _taken(rows, _Block(0, 0, first, stop), heads)
        made = _rows(_chances(query, key, stop - first, heads) @ value, heads)
        out[len(out) - len(rows) + first :][: stop - first] = made


def back(gradient: Tensor, rows: Tensor, trunk: int, lengths: Sequence[int], heads: Heads) -> Tensor:
    """The gradient of the rows. The probabilities are computed again: they would take more room than all else."""
    if fused.suits(rows) and not trunk:
        return fused.back(gradient, rows, lengths, heads)
    found = torch.zeros_like(rows)
    split = heads.queries * heads.width
    # a sum over all examples, which bfloat16 would round at each
    of_trunk = found.new_zeros(trunk, rows.shape[1] - split, dtype=torch.promote_types(rows.dtype, torch.float32))
    for block in _blocks(trunk, lengths):
        query, key, value = _taken(rows, block, heads)
        chances = _chances(query, key, block.stop - block.first, heads)
        given = _grouped(gradient[block.first : block.stop], heads)
        turned = torch._softmax_backward_data(given @ value.transpose(1, 2), chances, -1, chances.dtype)
        found[block.first : block.stop, :split] = _rows((turned @ key).mul_(heads.width**-0.5), heads)
        keys = torch.cat((turned.transpose(1, 2) @ query, chances.transpose(1, 2) @ given))
        keys = keys.transpose(0, 1).reshape(block.trunk + block.stop - block.start, -1)
        of_trunk[: block.trunk] += keys[: block.trunk]
        found[block.start : block.stop, split:] += keys[block.trunk :]
    found[:trunk, split:] += of_trunk.to(found.dtype)
    return found


@dataclass(frozen=True, slots=True)
class _Block:
    """Queries from `first` to `stop`; they see so many tokens of the trunk, and those of their example from `start`."""

    trunk: int
    start: int
    first: int
    stop: int


def _blocks(trunk: int, lengths: Sequence[int]) -> list[_Block]:
    found, start = [], 0
    for seen, length in ((0, trunk), *((trunk, length) for length in lengths)):
        end = start + length
        found += [_Block(seen, start, first, min(first + QUERIES, end)) for first in range(start, end, QUERIES)]
        start = end
    return found


def _taken(rows: Tensor, block: _Block, heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """Scaled queries (keys, group · queries, width), keys and values (keys, all that they may see, width)."""
    split = heads.queries * heads.width
    query = _grouped(rows[block.first : block.stop, :split], heads) * heads.width**-0.5
    seen = rows[block.start : block.stop, split:]
    if block.trunk:
        seen = torch.cat((rows[: block.trunk, split:], seen))
    both = seen.reshape(len(seen), 2 * heads.keys, heads.width).transpose(0, 1)
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
    scores = query @ key.transpose(1, 2)
    scores[..., -queries:] += _future(queries, heads.queries // heads.keys, query.dtype, query.device)
    return scores.softmax(-1)


@lru_cache(maxsize=QUERIES)
def _future(queries: int, group: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What hides from each query the keys behind it, (group · queries, queries); all keys before these it sees."""
    return torch.full((queries, queries), float("-inf"), dtype=dtype, device=device).triu(1).repeat(group, 1)
