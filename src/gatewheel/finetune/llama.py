"""The forward pass of the llama family and its derivative, written out: only what training pairs of low rank needs.

Models of the family are Llama, Mistral, TinyLlama and SmolLM2 (RMS norms, rotary positions, grouped heads, SwiGLU).
Examples lie one after another in one row of tokens, without padding. Nothing here uses autograd: what the derivative
needs again and is cheap to make again is made again: of a layer, five rows are remembered for each token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gatewheel.finetune import attention, elementwise
from gatewheel.finetune.attention import Heads
from gatewheel.finetune.dropout import Dropout
from gatewheel.finetune.linear import Linear
from gatewheel.finetune.loss import cross_entropy
from gatewheel.finetune.packing import Layout
from gatewheel.finetune.shard import Shard, whole


@dataclass(frozen=True, slots=True)
class Turns:
    """Cosine and sine of each token's position, (n, 1, width / 2), how the examples lie, and what is dropped."""

    cosine: Tensor
    sine: Tensor
    trunk: int
    lengths: Sequence[int]
    drop: Dropout | None = None


@dataclass(frozen=True, slots=True)
class Tape:
    """What a block remembers for its derivative."""

    x: Tensor
    rows: Tensor
    attended: Tensor
    middle: Tensor
    both: Tensor
    made: tuple[Tensor | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer: attention, then the gated linears, each behind a norm and added to what came in."""

    heads: Heads
    eps: float
    attention_norm: Tensor
    linears_norm: Tensor
    qkv: Linear
    output: Linear
    gate_up: Linear
    down: Linear

    def linears(self) -> tuple[Linear, ...]:
        return self.qkv, self.output, self.gate_up, self.down

    def beside(self) -> Block:
        """The same block, whose gradients are its own."""
        qkv, output, gate_up, down = (linear.beside() for linear in self.linears())
        return replace(self, qkv=qkv, output=output, gate_up=gate_up, down=down)

    def forward(self, x: Tensor, turns: Turns) -> tuple[Tensor, Tape]:
        rows, made_rows = self.rows(x, turns)
        attended = self.output.room(x)
        attention.forward(attended[:, : self.output.inputs], rows, turns.trunk, turns.lengths, self.heads)
        middle, made_output = self.output.forward(self.output.fill(attended, turns.drop), beside=x)
        both, made_both = self.gate_up.forward(self._normed(self.gate_up, middle, self.linears_norm, turns.drop))
        out, made_down = self.down.forward(self._gated(both, turns.drop), beside=middle)
        return out, Tape(x, rows, attended, middle, both, (made_rows, made_output, made_both, made_down))

    def newest(self, x: Tensor, turns: Turns, held: Tensor | None) -> tuple[Tensor, Tensor]:
        """What comes of tokens after those whose rows are `held`, and the rows of all."""
        rows, _ = self.rows(x, turns)
        rows = rows if held is None else torch.cat((held, rows))
        attended = self.output.room(x)
        attention.newest(attended[:, : self.output.inputs], rows, self.heads)
        middle, _ = self.output.forward(self.output.fill(attended), beside=x)
        both, _ = self.gate_up.forward(self._normed(self.gate_up, middle, self.linears_norm))
        return self.down.forward(self._gated(both), beside=middle)[0], rows

    def rows(self, x: Tensor, turns: Turns) -> tuple[Tensor, Tensor | None]:
        """q, k and v of each token side by side, the first two turned by its position."""
        rows, made = self.qkv.forward(self._normed(self.qkv, x, self.attention_norm, turns.drop))
        elementwise.rotate(self._turning(rows), turns.cosine, turns.sine)
        return rows, made

    def back(self, gradient: Tensor, tape: Tape, turns: Turns) -> Tensor:
        made_rows, made_output, made_both, made_down = tape.made
        drop = turns.drop
        inner = self.down.back(gradient, self._gated(tape.both, drop), made_down, drop)
        inner = elementwise.swiglu_back(inner, tape.both)
        again = self._normed(self.gate_up, tape.middle, self.linears_norm, drop)
        inner = self.gate_up.back(inner, again, made_both, drop)
        gradient = elementwise.norm_back(inner, tape.middle, self.linears_norm, self.eps, gradient)
        inner = self.output.back(gradient, tape.attended, made_output, drop)
        inner = attention.back(inner, tape.rows, turns.trunk, turns.lengths, self.heads)
        elementwise.rotate(self._turning(inner), turns.cosine, -turns.sine)
        again = self._normed(self.qkv, tape.x, self.attention_norm, drop)
        inner = self.qkv.back(inner, again, made_rows, drop)
        return elementwise.norm_back(inner, tape.x, self.attention_norm, self.eps, gradient)

    def _normed(self, linear: Linear, x: Tensor, weight: Tensor, drop: Dropout | None = None) -> Tensor:
        wide = linear.room(x)
        elementwise.norm(wide[:, : linear.inputs], x, weight, self.eps)
        return linear.fill(wide, drop)

    def _gated(self, both: Tensor, drop: Dropout | None = None) -> Tensor:
        wide = self.down.room(both)
        elementwise.swiglu(wide[:, : self.down.inputs], both)
        return self.down.fill(wide, drop)

    def _turning(self, rows: Tensor) -> Tensor:
        """The query and key heads, which positions turn, (n, heads, width)."""
        count = self.heads.queries + self.heads.keys
        return rows[:, : count * self.heads.width].view(-1, count, self.heads.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama:
    """The whole model. `frequencies` are the turns of one position, float32 (width / 2)."""

    embedding: Tensor | Shard
    blocks: tuple[Block, ...]
    last_norm: Tensor
    head: Tensor | Shard
    frequencies: Tensor
    eps: float

    def linears(self) -> list[Linear]:
        return [linear for block in self.blocks for linear in block.linears()]

    def parameters(self) -> list[Tensor]:
        return [parameter for linear in self.linears() for parameter in linear.parameters()]

    def beside(self) -> Llama:
        """The same weights and pairs, with gradients of their own; `refresh` of either is that of both."""
        return replace(self, blocks=tuple(block.beside() for block in self.blocks))

    def refresh(self) -> None:
        """Take over the pairs as they are now; once after each step."""
        for linear in self.linears():
            linear.refresh()

    @torch.no_grad()
    def loss(self, laid: Layout) -> float:
        """Sum of -log p of the tokens that are wanted; nothing is learned."""
        x, turns = whole(self.embedding)[laid.tokens], self.turns(laid.lengths, trunk=laid.trunk)
        for block in self.blocks:
            x, _ = block.forward(x, turns)
        return self._surprise(x, laid, 1.0)[0]

    @torch.no_grad()
    def learn(self, laid: Layout, share: float, drop: Dropout | None = None) -> float:
        """The same sum; the gradient of `share` times it is added to that of the pairs.

        What is dropped is drawn for each example, so `drop` wants examples that share no trunk.
        """
        x, turns, tapes = whole(self.embedding)[laid.tokens], self.turns(laid.lengths, drop, trunk=laid.trunk), []
        for block in self.blocks:
            x, tape = block.forward(x, turns)
            tapes.append(tape)
        total, gradient = self._surprise(x, laid, share)
        for block in reversed(self.blocks):
            gradient = block.back(gradient, tapes.pop(), turns)
        return total

    def turns(self, lengths: Sequence[int], drop: Dropout | None = None, *, trunk: int = 0) -> Turns:
        spans = [(0, trunk), *((trunk, trunk + length) for length in lengths)]
        positions = torch.cat([torch.arange(*span, device=self.frequencies.device) for span in spans])
        angles = torch.outer(positions.to(self.frequencies.dtype), self.frequencies)[:, None]
        dtype = self.last_norm.dtype
        return Turns(angles.cos().to(dtype), angles.sin().to(dtype), trunk, lengths, drop)

    def _surprise(self, x: Tensor, laid: Layout, share: float) -> tuple[float, Tensor]:
        """The sum, and the gradient of what the last block gave."""
        asked = x[laid.asked]
        hidden = torch.empty_like(asked)
        elementwise.norm(hidden, asked, self.last_norm, self.eps)
        total, inner = cross_entropy(hidden, whole(self.head), laid.wanted, share)
        gradient = torch.zeros_like(x)
        gradient[laid.asked] = elementwise.norm_back(inner, asked, self.last_norm, self.eps, torch.zeros_like(asked))
        return total, gradient
