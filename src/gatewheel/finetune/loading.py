"""The weights of a model file, as the trainer computes with them: in its precision, or 4-bit, with new pairs beside."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gatewheel.finetune.attention import Heads
from gatewheel.finetune.linear import Linear, Rows
from gatewheel.finetune.llama import Block, Llama
from gatewheel.finetune.nf4 import Nf4
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.shard import Shard
from gatewheel.models.dense import Dense


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computed_in(settings: Settings) -> torch.dtype:
    """bfloat16 where the processor multiplies it itself, four times as fast and half as large; else float32."""
    if settings.precision != "auto":
        return torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    quick = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if quick else torch.float32


class Loader:
    """Reads one matrix at a time, so that the float32 of no more than one layer's linears is held at once.

    With `shard` each process of the group keeps a part of each matrix; the vectors of the norms are too small for that.
    """

    def __init__(self, dense: Dense, settings: Settings, *, nf4: bool, dtype: torch.dtype, shard: bool = False) -> None:
        self._dense, self._settings, self._nf4, self._dtype, self._shard = dense, settings, nf4, dtype, shard
        self._random = torch.Generator().manual_seed(settings.seed)

    def load(self) -> Llama:
        shape = self._dense.shape
        embedding = self._kept(self._read("model.embed_tokens.weight"))
        steps = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        frequencies = 1.0 / shape.rope_theta**steps
        if shape.rope_factors:
            frequencies = frequencies / torch.tensor(shape.rope_factors)
        model = Llama(
            embedding=embedding,
            blocks=tuple(self._block(layer) for layer in range(shape.layers)),
            last_norm=self._read("model.norm.weight"),
            head=embedding if shape.tied else self._kept(self._read("lm_head.weight")),
            frequencies=frequencies.to(device()),
            eps=shape.norm_eps,
        )
        model.refresh()
        return model

    def _block(self, layer: int) -> Block:
        shape, at = self._dense.shape, f"model.layers.{layer}."
        return Block(
            heads=Heads(shape.heads, shape.kv_heads, shape.head_dim),
            eps=shape.norm_eps,
            attention_norm=self._read(f"{at}input_layernorm.weight"),
            linears_norm=self._read(f"{at}post_attention_layernorm.weight"),
            qkv=self._linear(f"{at}self_attn.", "q_proj", "k_proj", "v_proj"),
            output=self._linear(f"{at}self_attn.", "o_proj"),
            gate_up=self._linear(f"{at}mlp.", "gate_proj", "up_proj"),
            down=self._linear(f"{at}mlp.", "down_proj"),
        )

    def _linear(self, at: str, *names: str) -> Linear:
        matrices = [self._read(f"{at}{name}.weight") for name in names]
        rows, start = [], 0
        for name, matrix in zip(names, matrices, strict=True):
            if name in self._settings.targets:
                rows.append(Rows(f"{at}{name}", start, start + len(matrix)))
            start += len(matrix)
        matrix, own = torch.cat(matrices), self._settings
        made = Linear(self._frozen(matrix), tuple(rows), rank=own.rank, scale=own.scale, dora=own.dora)
        bound = 1 / math.sqrt(made.inputs)  # what PEFT draws A from
        drawn = torch.empty(made.a.shape, dtype=torch.float32).uniform_(-bound, bound, generator=self._random)
        made.a.data.copy_(drawn)
        return made

    def _frozen(self, matrix: Tensor) -> Tensor | Nf4 | Shard:
        if not self._nf4:
            return self._kept(matrix)
        quantised = Nf4.of(matrix)
        return quantised.divided() if self._shard else quantised

    def _kept(self, matrix: Tensor) -> Tensor | Shard:
        return Shard(matrix) if self._shard else matrix

    def _read(self, name: str) -> Tensor:
        return torch.from_numpy(self._dense.read(name)).to(device(), self._dtype)
