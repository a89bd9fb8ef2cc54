"""The tensors of the llama family under ggml's names, and in ggml's order of rows, which differs for queries and keys.

ggml rotates neighbouring rows of a head, Hugging Face's code those half a head apart, so llama.cpp's converter
(`LlamaModel.permute` of convert_hf_to_gguf.py) interleaves the two halves of each head. A tensor is never moved else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewheel.models.dense import Shape

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix

_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_INNER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def ggml_name(name: str) -> str:
    """ggml's name of a tensor or module; KeyError where it is none of the family.

    >>> ggml_name("model.layers.7.self_attn.q_proj.weight")
    'blk.7.attn_q.weight'
    """
    module, dot, weight = (name, "", "") if not name.endswith(".weight") else name.rpartition(".")
    if module in _OUTER:
        return _OUTER[module] + dot + weight
    layers, _, rest = module.removeprefix("model.layers.").partition(".")
    if not module.startswith("model.layers.") or not layers.isdecimal():
        raise KeyError(name)
    return f"blk.{layers}.{_INNER[rest]}{dot}{weight}"


def interleaved(name: str, rows: Matrix, shape: Shape) -> Matrix:
    """The rows of the tensor or module `name` in ggml's order: others than those of queries and keys as they are."""
    heads = _rotated(name, shape)
    if not heads:
        return rows
    return rows.reshape(heads, 2, shape.head_dim // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def halved(name: str, rows: Matrix, shape: Shape) -> Matrix:
    """The rows of the tensor or module `name` in Hugging Face's order again: the inverse of `interleaved`."""
    heads = _rotated(name, shape)
    if not heads:
        return rows
    return rows.reshape(heads, shape.head_dim // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _rotated(name: str, shape: Shape) -> int:
    """How many heads of the tensor are rotated."""
    module = name.removesuffix(".weight")
    return {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(module.rpartition(".")[2], 0)
