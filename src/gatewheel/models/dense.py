"""The weights of a llama-family model as float32 matrices under Hugging Face's names, whatever file they lie in.

The family is Llama, Mistral, TinyLlama, SmolLM2 and those alike: RMS norms, rotary positions, gated SiLU, no biases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gatewheel.kernel.errors import MissingPart, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

FAMILY = "the llama family (Llama, Mistral, TinyLlama, SmolLM2)"
_MOST_LAYERS = 10_000
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What decides the forward pass besides the weights. Lengths are in tokens.

    `rope_factors` divide the frequencies of the rotation, one for each pair of a head (Llama 3.1 and later); none: 1.
    `tied` says that the output reads the embedding's matrix.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context_length: int
    rope_theta: float
    norm_eps: float
    tied: bool
    rope_factors: tuple[float, ...] = ()


class Dense(Protocol):
    """Weights that are read one by one. `path` is the file or folder whose tokenizer and settings are theirs."""

    @property
    def path(self) -> Path: ...
    @property
    def shape(self) -> Shape: ...
    def names(self) -> tuple[str, ...]:
        """Such as `model.layers.0.self_attn.q_proj.weight`; `lm_head.weight` only where it is not tied."""

    def read(self, name: str) -> Matrix:
        """The tensor as float32 in memory of its own, rows (outputs) first. KeyError for a name of none of them."""


def open_dense(path: Path) -> Dense:
    """The weights in a GGUF file, whatever its name, or in a Hugging Face folder (safetensors, sharded or not).

    Quantised ones are told as what they mean, and the rows of q and k are in Hugging Face's order. Reads the headers.
    Raises MissingPart where nothing is there, ModelError for files that are damaged or of another family.
    """
    if path.is_dir():
        from gatewheel.models.dense_hf import FolderWeights

        return FolderWeights(path)
    if path.is_file():
        from gatewheel.models.dense_gguf import GGUFWeights

        return GGUFWeights(path)
    raise MissingPart(f"no weights at '{path}'", cure="name a GGUF file or a Hugging Face folder")


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every tensor of such a model with its own shape, rows first, in the order of the forward pass."""
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (shape.vocab, shape.hidden)}
    for layer in range(shape.layers):
        at = f"model.layers.{layer}."
        found |= {
            f"{at}input_layernorm.weight": (shape.hidden,),
            f"{at}self_attn.q_proj.weight": (query, shape.hidden),
            f"{at}self_attn.k_proj.weight": (key, shape.hidden),
            f"{at}self_attn.v_proj.weight": (key, shape.hidden),
            f"{at}self_attn.o_proj.weight": (shape.hidden, query),
            f"{at}post_attention_layernorm.weight": (shape.hidden,),
            f"{at}mlp.gate_proj.weight": (shape.intermediate, shape.hidden),
            f"{at}mlp.up_proj.weight": (shape.intermediate, shape.hidden),
            f"{at}mlp.down_proj.weight": (shape.hidden, shape.intermediate),
        }
    found["model.norm.weight"] = (shape.hidden,)
    if not shape.tied:
        found["lm_head.weight"] = (shape.vocab, shape.hidden)
    return found


def parameters(shape: Shape) -> int:
    """Weights in all, a tied matrix once."""
    return sum(math.prod(each) for each in tensor_shapes(shape).values())


def refuse_unlike(path: Path, shape: Shape, held: dict[str, tuple[int, ...]]) -> None:
    """Raises ModelError unless the tensors `held` are all that such a model has, each of the right shape."""
    if shape.vocab < 1:
        raise ModelError(f"{path} has no embedding of tokens", cure="fetch it again")
    expected = tensor_shapes(shape)
    if strange := sorted(held.keys() - expected.keys()):
        what = f"{path} has the tensor {strange[0]}, which a model of {FAMILY} has not"
        raise ModelError(what, cure=f"use weights of {FAMILY}")
    for name, wanted in expected.items():
        if (there := held.get(name)) != wanted:
            what = f"{path} has no tensor {name}" if there is None else f"{name} of {path} has the shape {there}"
            raise ModelError(f"{what}; its settings ask for one of {wanted}", cure="fetch it again")


def refuse_impossible(path: Path, shape: Shape) -> None:
    """Raises ModelError for numbers that no such model has."""
    if not 0 < shape.layers <= _MOST_LAYERS:  # before a table is made that long
        raise ModelError(f"{path} claims {shape.layers} layers", cure="fetch it again")
    if len(shape.rope_factors) not in (0, shape.head_dim // 2) or not all(
        factor > 0 and math.isfinite(factor) for factor in shape.rope_factors
    ):
        raise ModelError(f"{path} claims rotation factors {shape.rope_factors[:4]} …", cure="fetch it again")
    counts = (shape.hidden, shape.intermediate, shape.heads, shape.kv_heads, shape.head_dim, shape.context_length)
    if min(counts) < 1 or max(counts) > 2**31 or shape.heads % shape.kv_heads or shape.head_dim % 2:
        what = f"{path} claims {shape.heads} heads of {shape.head_dim}, {shape.kv_heads} for keys, for {shape.hidden}"
        raise ModelError(what, cure="fetch it again")
    if not (shape.rope_theta > 0 and math.isfinite(shape.rope_theta) and 0 < shape.norm_eps < 1):
        what = f"{path} claims rope_theta {shape.rope_theta} and norm_eps {shape.norm_eps}"
        raise ModelError(what, cure="fetch it again")


def other_family(path: Path, why: str) -> ModelError:
    """The error that says that the model is of another family."""
    return ModelError(f"{path} {why}", cure=f"use weights of {FAMILY}; the engines answer with the others as they are")
