"""Which examples make a step, and which of them are computed at once: one after another in a row, without padding."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row


def step_rows(rows: Sequence[Row], step: int, settings: Settings) -> list[Row]:
    """The examples of a step, counted from 0: every epoch has an order of its own, and steps run on over its end."""
    found = []
    for place in range(step * settings.batch, (step + 1) * settings.batch):
        epoch, at = divmod(place, len(rows))
        found.append(rows[_order(len(rows), epoch, settings.seed)[at]])
    return found


@lru_cache(maxsize=4)
def _order(count: int, epoch: int, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(order)
    return order


def dealt(rows: Sequence[Row], hands: int) -> list[list[Row]]:
    """The rows in as many shares as there are processes, of about as many tokens each; a share may be empty."""
    if hands == 1:
        return [list(rows)]
    shares: list[list[Row]] = [[] for _ in range(hands)]
    for row in sorted(rows, key=lambda row: -len(row.tokens)):
        min(shares, key=lambda share: sum(len(each.tokens) for each in share)).append(row)
    return shares


def micro_batches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """The rows in groups of at most so many tokens, or of one row; the long ones first, so that few groups are made."""
    groups: list[list[Row]] = []
    for row in sorted(rows, key=lambda row: -len(row.tokens)):
        size = len(row.tokens)
        fits = (group for group in groups if sum(len(each.tokens) for each in group) + size <= tokens)
        if (group := next(fits, None)) is None:
            groups.append([row])
        else:
            group.append(row)
    yield from groups


def laid_out(rows: Sequence[Row], device: torch.device) -> tuple[Tensor, list[int], Tensor]:
    """Tokens one after another, the length of each row, and the places of the tokens that carry loss."""
    tokens = [token for row in rows for token in row.tokens]
    lengths = [len(row.tokens) for row in rows]
    replies, start = list[int](), 0
    for row in rows:
        replies += range(start + row.reply, start + len(row.tokens))
        start += len(row.tokens)
    return torch.tensor(tokens, device=device), lengths, torch.tensor(replies, device=device)
