"""Which examples make a step, and which of them are computed at once: one after another in a row, without padding.

What such examples all begin with, an instruction mostly, is their trunk. It is computed once, and each goes on from it
as if it stood there alone: the same losses and gradients from fewer tokens (as prefix sharing, Wang and Hegde 2024).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row

_TRIED = 128  # rows that are put into packs together: the time for more is their square
_LEAST = 16  # tokens of a trunk


@dataclass(frozen=True, slots=True)
class Pack:
    """Examples that are computed at once, with the number of tokens, `alike`, that all of them begin with."""

    rows: tuple[Row, ...]
    alike: int = 0

    @property
    def begins(self) -> tuple[int, ...]:
        """What all of them begin with."""
        return self.rows[0].tokens[: self.alike]

    @property
    def trunk(self) -> int:
        """How many of these tokens are computed once; few cost more to share than they save."""
        return self.alike if self.alike >= _LEAST and len(self.rows) > 1 else 0

    @property
    def size(self) -> int:
        """Tokens that are computed."""
        return self.trunk + self.own

    @property
    def own(self) -> int:
        """Tokens behind the trunk."""
        return sum(len(row.tokens) for row in self.rows) - self.trunk * len(self.rows)

    @property
    def saved(self) -> int:
        """Tokens that need not be computed."""
        return self.trunk * (len(self.rows) - 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """A pack as tensors: `tokens` (n) are the trunk, then what is each example's own, of these `lengths`.

    At the places `asked` the model says what comes next, which should be `wanted`.
    """

    tokens: Tensor
    trunk: int
    lengths: tuple[int, ...]
    asked: Tensor
    wanted: Tensor


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


def dealt(rows: Sequence[Row], hands: int, *, trunks: bool = True) -> list[list[Row]]:
    """The rows in as many shares as there are hands, of about as many tokens each; a share may be empty."""
    if hands == 1:
        return [list(rows)]
    trunk = trunk_of(rows) if trunks else 0
    shares: list[list[Row]] = [[] for _ in range(hands)]
    held = [0] * hands
    for row in sorted(rows, key=lambda row: -len(row.tokens)):
        least = held.index(min(held))
        shares[least].append(row)
        held[least] += len(row.tokens) - trunk
    return shares


def micro_batches(rows: Sequence[Row], tokens: int, *, trunks: bool = True) -> list[Pack]:
    """The rows in packs of at most so many tokens behind their trunk, or of one row; few packs, long rows first.

    Without `trunks` nothing is shared.
    """
    order = sorted(rows, key=lambda row: -len(row.tokens))
    parts = -(-len(order) // _TRIED)
    return [pack for part in range(parts) for pack in _packed(order[part::parts], tokens, trunks=trunks)]


def _packed(rows: Sequence[Row], tokens: int, *, trunks: bool) -> list[Pack]:
    """Each row into the first pack that it fits."""
    packs: list[Pack] = []
    for row in rows:
        for place, pack in enumerate(packs):
            joined = Pack((*pack.rows, row), _common(pack.begins, row) if trunks else 0)
            if joined.own <= tokens and joined.saved >= pack.saved:
                packs[place] = joined
                break
        else:
            packs.append(Pack((row,), row.reply - 1 if trunks else 0))
    return packs


def trunk_of(rows: Sequence[Row]) -> int:
    """How many tokens all rows begin with, up to the last one before a reply; 0 where that is too few to be shared."""
    first = rows[0]
    common = first.tokens[: first.reply - 1]
    for row in rows:
        common = common[: _common(common, row)]
    return Pack(tuple(rows), len(common)).trunk


def _common(begins: tuple[int, ...], row: Row) -> int:
    """How many of these tokens a row begins with, up to the last one before its reply."""
    most = min(len(begins), row.reply - 1)
    if begins[:most] == row.tokens[:most]:
        return most
    return next(place for place in range(most) if begins[place] != row.tokens[place])


def laid_out(pack: Pack, device: torch.device) -> Layout:
    """The tensors of a pack."""
    tokens, asked, wanted = list(pack.rows[0].tokens[: pack.trunk]), list[int](), list[int]()
    for row in pack.rows:
        start = len(tokens) - pack.trunk
        asked += range(start + row.reply - 1, start + len(row.tokens) - 1)
        wanted += row.tokens[row.reply :]
        tokens += row.tokens[pack.trunk :]
    lengths = tuple(len(row.tokens) - pack.trunk for row in pack.rows)
    held = (torch.tensor(each, device=device) for each in (tokens, asked, wanted))
    tokens_, asked_, wanted_ = held
    return Layout(tokens_, pack.trunk, lengths, asked_, wanted_)
