"""A llama-family model of a few thousand weights, random but the same each time, as a folder and as a GGUF file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from gatewheel.models import safetensors
from gatewheel.models.adapters import Adapter
from gatewheel.models.dense import Dense, Shape, tensor_shapes
from gatewheel.models.dense_hf import shape_of

TEXTS = (
    "The lighthouse keeper lit the lamp at 17:45 and wrote it down.",
    "Don't we'll they've: it's 3.14159, not 2024; ½ and ² are numbers too!",
    "Zürich 東京 🚀  two  spaces\n\n\tand a tab",
    " leading and trailing ",
)
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 1,
    "bos_token_id": 0,
}


def tokenizer(folder: Path, cut: Any, *, template: Any = None) -> int:
    """A byte-level BPE of some 300 tokens, learned from TEXTS; how many it has."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = cut, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|begin|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS * 3, trainer)
    if template is not None:
        made.post_processor = template
    made.save(str(folder / "tokenizer.json"))
    config = {
        "eos_token": "<|end|>",
        "bos_token": {"__type": "AddedToken", "content": "<|begin|>"},
        "chat_template": "{{ messages }}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return int(made.get_vocab_size())


def sentencepiece(folder: Path, **said: Any) -> Tokenizer:
    """What stands in place of a SentencePiece model in the folders of Llama 2, TinyLlama and Mistral 7B."""
    learned = Tokenizer(models.BPE())
    learned.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learned.train_from_iterator(TEXTS[:1] * 3, trainers.BpeTrainer(vocab_size=120, show_progress=False))
    model = json.loads(learned.to_str())["model"]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *model["vocab"]]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    held = json.loads(learned.to_str()) | {
        "added_tokens": [{"id": number, "content": text, **plain} for number, text in enumerate(texts[:3])],
        "model": model | {
            "vocab": {text: number for number, text in enumerate(texts)},
            "byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True,
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(held))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", **said}))
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def smollm_cut() -> Any:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def folder(path: Path, **changed: Any) -> Path:
    """A Hugging Face folder, in float32."""
    path.mkdir(parents=True)
    config = CONFIG | {"vocab_size": tokenizer(path, smollm_cut()) + 3} | changed
    (path / "config.json").write_text(json.dumps(config))
    shapes = tensor_shapes(shape_of(path, config))
    safetensors.write(path / "model.safetensors", shapes, weights(shapes), metadata={"format": "pt"})
    return path


def weights(shapes: dict[str, tuple[int, ...]]) -> list[Any]:
    """Large enough that the attention of such a model looks somewhere."""
    draw = np.random.default_rng(7)
    return [
        (1 + 0.1 * draw.normal(size=shape) if len(shape) == 1 else 0.2 * draw.normal(size=shape)).astype(np.float32)
        for shape in shapes.values()
    ]


def adapter(shape: Shape, *, rank: int = 4, dora: bool = False, rslora: bool = False, only: str = "proj") -> Adapter:
    """For every linear whose name has `only` in it."""
    draw = np.random.default_rng(11)
    pairs, magnitudes = {}, {}
    for name, (outputs, *inputs) in tensor_shapes(shape).items():
        if "proj" in name and only in name:
            module = name.removesuffix(".weight")
            a = draw.normal(size=(rank, *inputs)).astype(np.float32) / 8
            pairs[module] = (a, draw.normal(size=(outputs, rank)).astype(np.float32) / 8)
            magnitudes[module] = (1 + draw.random(outputs)).astype(np.float32)
    return Adapter(rank=rank, alpha=8, pairs=pairs, rslora=rslora, magnitudes=magnitudes if dora else {}, base="tiny")


def logprobs(dense: Dense, tokens: list[int]) -> Any:
    """Log-probabilities of what comes after each token, float64 (tokens, vocabulary): the forward pass, written out."""
    shape = dense.shape
    w = {name: dense.read(name).astype(np.float64) for name in dense.names()}
    x = w["model.embed_tokens.weight"][tokens]
    inverse = shape.rope_theta ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim)
    inverse = inverse / np.array(shape.rope_factors or [1.0])
    angle = np.outer(np.arange(len(tokens)), inverse)[:, None, :]
    hidden = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)

    def norm(x: Any, name: str) -> Any:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + shape.norm_eps) * w[name]

    def turned(x: Any) -> Any:
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)

    for layer in range(shape.layers):
        at = f"model.layers.{layer}."
        h = norm(x, at + "input_layernorm.weight")
        q, k, v = (
            (h @ w[f"{at}self_attn.{name}_proj.weight"].T).reshape(len(tokens), -1, shape.head_dim) for name in "qkv"
        )
        shared = shape.heads // shape.kv_heads
        q, k, v = turned(q), turned(k).repeat(shared, 1), v.repeat(shared, 1)
        score = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(shape.head_dim) + hidden
        share = np.exp(score - score.max(-1, keepdims=True))
        seen = np.einsum("hqk,khd->qhd", share / share.sum(-1, keepdims=True), v).reshape(len(tokens), -1)
        x = x + seen @ w[at + "self_attn.o_proj.weight"].T
        h = norm(x, at + "post_attention_layernorm.weight")
        gate, up = (h @ w[f"{at}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T
    logits = norm(x, "model.norm.weight") @ w["model.embed_tokens.weight" if shape.tied else "lm_head.weight"].T
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
