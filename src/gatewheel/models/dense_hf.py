"""Dense over a Hugging Face folder of the llama family: config.json, and safetensors in one file or several."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models.dense import Shape, other_family, refuse_impossible, refuse_unlike, tensor_shapes
from gatewheel.models.safetensors import Tensors

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix

_USUAL = {"attention_bias": False, "mlp_bias": False, "hidden_act": "silu", "quantization_config": None}
ARCHITECTURES = {"LlamaForCausalLM": "llama", "MistralForCausalLM": "mistral"}
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_LONGEST_JSON = 64 * 2**20  # bytes


class FolderWeights:
    """The weights of one folder, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Raises MissingPart for a file that is not there, ModelError for a damaged one or another family."""
        files = [Tensors(each) for each in _files(path)]
        self._files = {name: file for file in files for name in file.entries if "rotary_emb" not in name}
        self.path = path
        self.shape = shape_of(path, read_object(path / "config.json"), headless="lm_head.weight" not in self._files)
        if self.shape.tied:
            self._files.pop("lm_head.weight", None)  # transformers reads the embedding in its stead too
        refuse_unlike(path, self.shape, {name: file.entries[name].shape for name, file in self._files.items()})

    def names(self) -> tuple[str, ...]:
        return tuple(tensor_shapes(self.shape))

    def read(self, name: str) -> Matrix:
        """As Dense says. Raises ModelError for a type that cannot be read."""
        return self._files[name].read(name)


def shape_of(path: Path, config: Mapping[str, Any], *, headless: bool = False) -> Shape:
    """What config.json says, of transformers 4 or 5; `headless` that no matrix of the output is there.

    Raises ModelError where it is silent, contradicts itself, or tells of another family.
    """
    named = config.get("architectures")
    if not (isinstance(named, list) and named and str(named[0]) in ARCHITECTURES):
        raise other_family(path, f"has the architecture {named}")
    for key, usual in _USUAL.items():
        if (value := config.get(key) or usual) != usual:
            raise other_family(path, f"has {key} = {value}")
    try:
        rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
        length = int(config["max_position_embeddings"])
        head_dim = int(config.get("head_dim") or hidden // heads)
        theta = float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)
        shape = Shape(
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=head_dim,
            vocab=int(config["vocab_size"]),
            # beyond the window of attention nothing here would compute what the model was trained for
            context_length=min(length, int(config.get("sliding_window") or length)),
            rope_theta=theta,
            norm_eps=float(config["rms_norm_eps"]),
            tied=headless or bool(config.get("tie_word_embeddings", False)),
            rope_factors=_rope_factors(path, rope, theta, head_dim),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise ModelError(
            f"{path / 'config.json'} does not describe a model ({error!r})", cure="fetch it again"
        ) from error
    refuse_impossible(path, shape)
    return shape


def llama3_factors(rope: Mapping[str, Any], *, theta: float, head_dim: int) -> tuple[float, ...]:
    """What divides each frequency by Llama 3.1's rule (`_compute_llama3_parameters` of transformers)."""
    factor, length = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    found = []
    for pair in range(head_dim // 2):
        turns = length * theta ** (-2 * pair / head_dim) / (2 * math.pi)  # within the original context
        smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
        found.append(1 / ((1 - smooth) / factor + smooth))
    return tuple(found)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of the folder. Raises MissingPart where there is none, ModelError for another text."""
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise ValueError(f"{path.stat().st_size} bytes")
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        cure = "use a Hugging Face folder with config.json and model.safetensors"
        raise MissingPart(f"cannot read {path}: {error.strerror or error}", cure=cure) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON ({error})", cure="fetch it again") from error
    if not isinstance(held, dict):
        raise ModelError(f"{path} holds no JSON object", cure="fetch it again")
    return held


def _rope_factors(path: Path, rope: Mapping[str, Any], theta: float, head_dim: int) -> tuple[float, ...]:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return ()
    if kind != "llama3":
        raise other_family(path, f"has stretched positions of the kind '{kind}'")
    return llama3_factors(rope, theta=theta, head_dim=head_dim)


def _files(path: Path) -> list[Path]:
    if not (path / _INDEX).is_file():
        if not (path / _WHOLE).is_file():
            cure = "save it with safetensors, or name a GGUF file; pickled weights are not read"
            raise MissingPart(f"no {_WHOLE} in '{path}'", cure=cure)
        return [path / _WHOLE]
    listed = read_object(path / _INDEX).get("weight_map")
    names = sorted({str(each) for each in listed.values()}) if isinstance(listed, dict) else []
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise ModelError(f"{path / _INDEX} names other files than safetensors beside it", cure="fetch it again")
    return [path / name for name in names]
