"""Linears that read the same input, as one matrix product, with the low-rank pairs of those that are adapted.

The adapted product is y = x Wᵀ + s (x Aᵀ) Bᵀ (LoRA, Hu et al. 2021). The columns of s B stand to the right of W and
x Aᵀ to the right of x, so that both products are one: [x, x Aᵀ] · [W, s B]ᵀ; the derivative likewise. Without autograd.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from gatewheel.finetune.dropout import Dropout
from gatewheel.finetune.nf4 import Nf4
from gatewheel.finetune.shard import Shard


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the fused matrix that one adapted linear makes, and its name in the model."""

    module: str
    start: int
    stop: int


class Linear:
    """`frozen` is (out, in), in the type that is computed in, or NF4, or a part of it. The pairs are float32.

    `a` (pairs · rank, in) and `b` (adapted rows, rank) are the pairs below each other; with DoRA (Liu et al. 2024) each
    adapted row has the norm that `magnitude` says.
    """

    def __init__(
        self, frozen: Tensor | Nf4 | Shard, rows: tuple[Rows, ...], *, rank: int, scale: float, dora: bool
    ) -> None:
        self.rows, self.rank, self.scale = rows, rank, scale
        self.outputs, self.inputs = frozen.shape
        self._frozen = frozen
        like = frozen if isinstance(frozen, Tensor) else frozen.like
        self._columns = like.new_zeros(self.outputs, len(rows) * rank)
        if isinstance(frozen, Tensor) and rows:
            self._frozen = torch.cat((frozen, self._columns), 1)
            self._columns = self._frozen[:, self.inputs :]
        self._down = like.new_zeros(len(rows) * rank, self.inputs)
        self._factor: Tensor | None = None
        self.a = _parameter(len(rows) * rank, self.inputs, like)
        self.b = _parameter(sum(each.stop - each.start for each in rows), rank, like)
        self.magnitude: Tensor | None = None
        if dora and rows:
            self.magnitude = _parameter(self.b.shape[0], 1, like)
            self.magnitude.data.copy_(self._norms())
            self._factor = like.new_ones(self.outputs)

    def beside(self) -> Linear:
        """The same matrix and pairs, with gradients of their own."""
        other = copy.copy(self)
        other.a, other.b = _again(self.a), _again(self.b)
        other.magnitude = None if self.magnitude is None else _again(self.magnitude)
        return other

    def parameters(self) -> list[Tensor]:
        return [each for each in (self.a, self.b, self.magnitude) if each is not None and each.numel()]

    def pairs(self) -> list[tuple[str, Tensor, Tensor, Tensor | None]]:
        """Of each adapted linear its name, A (rank, in), B (out, rank) and DoRA's magnitude (out, 1), not copied."""
        held = None if self.magnitude is None else self.magnitude.data
        magnitudes = [None] * len(self.rows) if held is None else [own for _, _, own in self._blocks(held)]
        both = zip(self._blocks(self.b.data), magnitudes, strict=True)
        return [(rows.module, self.a.data[place], b, own) for (place, rows, b), own in both]

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the pairs as they are now; once after each step."""
        self._down.copy_(self.a)
        for place, rows, b in self._blocks(self.b.data):
            self._columns[rows.start : rows.stop, place] = (b * self.scale).to(self._columns.dtype)
        if self.magnitude is not None and self._factor is not None:
            factor = (self.magnitude / self._norms()).to(self._down.dtype)
            for _, rows, part in self._blocks(factor):
                self._factor[rows.start : rows.stop] = part.squeeze(1)

    def room(self, x: Tensor) -> Tensor:
        """Place for the input of as many rows as x, and for what A makes of it to its right."""
        return x.new_empty(x.shape[0], self.inputs + len(self.rows) * self.rank)

    def fill(self, wide: Tensor, drop: Dropout | None = None) -> Tensor:
        """Write x Aᵀ to the right of x; of x, what is dropped is left out."""
        if self.rows:
            torch.mm(self._read_by_a(wide, drop)[0], self._down.t(), out=wide[:, self.inputs :])
        return wide

    def forward(self, wide: Tensor, beside: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The product, added to `beside`, and what DoRA's derivative will need of it."""
        matrix = self._matrix().t()
        if self._factor is None:
            return (wide @ matrix if beside is None else torch.addmm(beside, wide, matrix)), None
        made = (wide @ matrix).mul_(self._factor)
        return (made.clone() if beside is None else made + beside), made

    def back(self, gradient: Tensor, wide: Tensor, made: Tensor | None, drop: Dropout | None = None) -> Tensor:
        """The gradient of x; those of the pairs are added to what they have."""
        if made is not None and self._factor is not None and self.magnitude is not None:
            turned = (gradient * made).sum(0, dtype=self.magnitude.dtype)[:, None]
            for (_, rows, grad), (_, _, own) in zip(
                self._blocks(_gradient(self.magnitude)), self._blocks(self.magnitude.data), strict=True
            ):
                grad.addcdiv_(turned[rows.start : rows.stop], own)
            gradient = gradient * self._factor
        both = gradient @ self._matrix()
        if not self.rows:
            return both
        x, mask = self._read_by_a(wide, drop)
        low, inner = wide[:, self.inputs :], both[:, self.inputs :]
        _gradient(self.a).add_(inner.t() @ x)
        outer = gradient.t() @ low
        for place, rows, grad in self._blocks(_gradient(self.b)):
            grad.add_(outer[rows.start : rows.stop, place], alpha=self.scale)
        if mask is not None:
            return torch.addcmul(both[:, : self.inputs], inner @ self._down, mask)
        return both[:, : self.inputs].addmm_(inner, self._down)

    def _read_by_a(self, wide: Tensor, drop: Dropout | None) -> tuple[Tensor, Tensor | None]:
        """x without what is dropped, and by what it was multiplied for that. One draw for all that read the same x."""
        x = wide[:, : self.inputs]
        if drop is None:
            return x, None
        mask = drop.mask(x, self.rows[0].module)
        return x * mask, mask

    def _matrix(self) -> Tensor:
        if isinstance(self._frozen, Tensor):
            return self._frozen
        return torch.cat((self._frozen.dense(), self._columns), 1)

    def _blocks(self, stacked: Tensor) -> list[tuple[slice, Rows, Tensor]]:
        """Of each adapted linear: its columns of low rank, its rows in the matrix, its own rows in what is stacked."""
        found, start = [], 0
        for place, rows in enumerate(self.rows):
            stop = start + rows.stop - rows.start
            found.append((slice(place * self.rank, (place + 1) * self.rank), rows, stacked[start:stop]))
            start = stop
        return found

    def _norms(self) -> Tensor:
        """|W + s B A| of each adapted row (rows, 1), by (W + s B A)² = W² + 2 s B (A Wᵀ) + s² B (A Aᵀ) Bᵀ."""
        weight = self._matrix()[:, : self.inputs].to(self.a.dtype)
        found = []
        for place, rows, b in self._blocks(self.b.data):
            own, a, b = weight[rows.start : rows.stop], self.a.data[place], b * self.scale
            square = own.square().sum(1) + 2 * (b * (own @ a.t())).sum(1) + (b @ (a @ a.t()) * b).sum(1)
            found.append(square.sqrt())
        return torch.cat(found)[:, None]


def _parameter(rows: int, columns: int, like: Tensor) -> Tensor:
    wide = torch.promote_types(like.dtype, torch.float32)
    return torch.zeros(rows, columns, dtype=wide, device=like.device, requires_grad=True)


def _again(parameter: Tensor) -> Tensor:
    """The same numbers, in the same place."""
    return parameter.detach().requires_grad_()


def _gradient(parameter: Tensor) -> Tensor:
    """There from the beginning, for it is added to."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
