"""Weights of the llama family as a Hugging Face folder, which transformers, vLLM and every trainer read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models import safetensors
from gatewheel.models.byte_bpe import tokenizer_of
from gatewheel.models.dense import Dense, Shape, tensor_shapes
from gatewheel.models.dense_hf import llama3_factors, read_object
from gatewheel.models.gguf import read_keys
from gatewheel.models.whole import whole_folder

DTYPE = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
# what belongs to weights besides config.json and the matrices
_BESIDE = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "LICENSE",
)  # fmt: skip
# Llama 3.1, 3.2 and 3.3 differ in the factor alone; a GGUF file tells only what comes of it
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
_LLAMA3_FACTORS = (8.0, 32.0)


def write_folder(dense: Dense, folder: Path, *, dtype: str = "BF16") -> int:
    """Write config.json, model.safetensors, the tokenizer and generation_config.json; the bytes of all are returned.

    `dtype` is BF16, F16 or F32. Whole or not at all. Raises UserError where something lies there already and without
    room, MissingPart where the tokenizer of a GGUF file is to be converted without the extra train.
    """
    with whole_folder(folder) as part:
        if dense.path.is_dir():
            config = read_object(dense.path / "config.json")
            for name in (name for name in _BESIDE if (dense.path / name).is_file()):
                shutil.copyfile(dense.path / name, part / name)
        else:
            said = read_keys(dense.path)
            config = _config(dense, said)
            _write_json(part / "generation_config.json", _generation(said))
            _write_tokenizer(dense.path, part, str(said.get("tokenizer.ggml.pre", "")))
        config = {key: value for key, value in config.items() if key not in ("torch_dtype", "quantization_config")}
        config |= {"dtype": DTYPE[dtype], "tie_word_embeddings": dense.shape.tied}
        _write_json(part / "config.json", config)
        shapes = tensor_shapes(dense.shape)
        tensors = (dense.read(name) for name in shapes)
        safetensors.write(part / "model.safetensors", shapes, tensors, dtype=dtype, metadata={"format": "pt"})
        return sum(path.stat().st_size for path in part.iterdir())


def _config(dense: Dense, said: Mapping[str, Any]) -> dict[str, Any]:
    shape = dense.shape
    stretched = _stretched(dense.path, shape)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.context_length,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,  # of transformers 4
        "rope_scaling": stretched or None,
        "rope_parameters": {"rope_theta": shape.rope_theta, "rope_type": "default"} | stretched,  # of transformers 5
        **_ends(said),
    }


def _ends(said: Mapping[str, Any]) -> dict[str, Any]:
    """The tokens that begin and end a text."""
    named = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    return {key: said.get(f"tokenizer.ggml.{name}_token_id") for key, name in named.items()}


def _generation(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"_from_model_config": True} | {key: value for key, value in _ends(said).items() if value is not None}


def _stretched(path: Path, shape: Shape) -> dict[str, Any]:
    """The rule behind the factors that a GGUF file tells. Raises ModelError where it is none that is known."""
    if not shape.rope_factors:
        return {}
    for factor in _LLAMA3_FACTORS:
        rule = _LLAMA3 | {"factor": factor, "rope_type": "llama3"}
        would = llama3_factors(rule, theta=shape.rope_theta, head_dim=shape.head_dim)
        if all(abs(a - b) <= 1e-3 * b for a, b in zip(shape.rope_factors, would, strict=False)):
            return rule
    what = f"the factors of the rotation in {path} follow no rule that a Hugging Face folder could name"
    raise ModelError(what, cure="write a GGUF file, which holds the factors themselves")


def _write_tokenizer(gguf: Path, folder: Path, cut: str) -> None:
    if (made := tokenizer_of(gguf)) is None:
        if cut not in ("", "default"):  # which transformers would leave out, and other tokens come of it
            what = f"{gguf} cuts its texts by the rule '{cut}', which a Hugging Face folder cannot be given here"
            raise ModelError(what, cure="write a GGUF file, which keeps the tokenizer as it is")
        _convert_tokenizer(gguf, folder)
        return
    (folder / "tokenizer.json").write_text(json.dumps(made[0], ensure_ascii=False), encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", made[1])


def _convert_tokenizer(gguf: Path, folder: Path) -> None:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        what = "transformers, which converts the tokenizer of a GGUF file, is not installed"
        raise MissingPart(what, cure="pip install 'gatewheel[train]'") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
        tokenizer.save_pretrained(str(folder))
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        cure = "write a GGUF file, which keeps the tokenizer as it is"
        raise ModelError(f"transformers cannot convert the tokenizer of {gguf}: {error}", cure=cure) from error


def _write_json(path: Path, held: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n", encoding="utf-8")
