"""LoRA adapters in and out, in PEFT's format: adapter_config.json beside adapter_model.safetensors. Never a pickle.

The safetensors file that is written here carries the configuration in its metadata too, so it is an adapter by itself:
one object, without a folder. Formats: LoraConfig and `get_peft_model_state_dict` of PEFT 0.21.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models.adapter_config import Told, read_config, written_config
from gatewheel.models.dense import LINEARS, Shape, tensor_shapes
from gatewheel.models.safetensors import Tensors
from gatewheel.models.safetensors import write as write_tensors
from gatewheel.models.whole import whole_file

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix

    Pair = tuple[Matrix, Matrix]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_METADATA = "adapter_config"
_PREFIX = "base_model.model."
_KEY = re.compile(
    rf"(model\.layers\.\d+\.(?:self_attn|mlp)\.(?:{'|'.join(LINEARS)}))\.(lora_A|lora_B|lora_magnitude_vector)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """Low-rank pairs that are added to the matrices of a model: W + scale · B A.

    `pairs` has A, float32 (rank, inputs), and B, float32 (outputs, rank), for modules such as
    `model.layers.0.self_attn.q_proj`. `magnitudes`, float32 (outputs,), are DoRA's (arXiv:2402.09353), there for all
    modules or for none. `rslora` divides alpha by the root of the rank (arXiv:2312.03732). `base` names the weights
    that it was trained on, by SHA-256 where that is known.
    """

    rank: int
    alpha: float
    pairs: Mapping[str, Pair]
    rslora: bool = False
    magnitudes: Mapping[str, Matrix] = field(default_factory=dict)
    base: str = ""

    @property
    def scale(self) -> float:
        """What B A is multiplied by, for every pair, whatever its own rank."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    @property
    def dora(self) -> bool:
        return bool(self.magnitudes)

    @property
    def targets(self) -> tuple[str, ...]:
        """The linears that have a pair, such as q_proj, in the order of the forward pass."""
        named = {module.rpartition(".")[2] for module in self.pairs}
        return tuple(name for name in LINEARS if name in named)


def read(path: Path) -> Adapter:
    """The adapter in a PEFT folder, or in one safetensors file that was written here, whatever its name.

    Raises MissingPart where there is none, ModelError for one that is damaged, or does more than add low-rank pairs to
    the linears of a llama-family model.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        pickled = path.is_dir() and (path / "adapter_model.bin").exists()
        cure = f"name a folder with {CONFIG} and {WEIGHTS}"
        cure = "save it with safetensors; pickles are not read" if pickled else cure
        raise MissingPart(f"no adapter at '{path}'", cure=cure)
    tensors = Tensors(file)
    config = path / CONFIG if path.is_dir() else None
    told = read_config(config, tensors.metadata.get(_METADATA), file)
    return _adapter(file, told, tensors)


def write(adapter: Adapter, folder: Path) -> Path:
    """Write a PEFT folder, which PEFT and `read` take; the same adapter gives the same bytes.

    The path that is returned is that of the safetensors file, an adapter by itself. Each file is whole or not there.
    Raises UserError without room, ModelError for shapes that do not fit together and values that are not finite.
    """
    refuse_broken(adapter, folder)
    tensors: dict[str, Matrix] = {}
    for module, (a, b) in adapter.pairs.items():
        tensors |= {f"{_PREFIX}{module}.lora_A.weight": a, f"{_PREFIX}{module}.lora_B.weight": b}
    tensors |= {f"{_PREFIX}{module}.lora_magnitude_vector": each for module, each in adapter.magnitudes.items()}
    ordered = dict(sorted(tensors.items()))
    config = written_config(adapter)
    metadata = {"format": "pt", _METADATA: json.dumps(config, sort_keys=True)}
    shapes = {name: tensor.shape for name, tensor in ordered.items()}
    write_tensors(folder / WEIGHTS, shapes, ordered.values(), dtype="F32", metadata=metadata)
    with whole_file(folder / CONFIG) as file:
        file.write(json.dumps(config, indent=2, sort_keys=True).encode())
    return folder / WEIGHTS


def refuse_broken(adapter: Adapter, source: Path) -> None:
    """Raises ModelError unless A, B and magnitudes fit together and are finite."""
    import numpy as np

    if not adapter.pairs:
        raise ModelError(f"the adapter {source} has no pairs", cure="train it anew")
    if adapter.magnitudes and adapter.magnitudes.keys() != adapter.pairs.keys():
        raise ModelError(f"the adapter {source} has magnitudes for some of its pairs only", cure="save it again")
    for module, (a, b) in adapter.pairs.items():
        magnitude = adapter.magnitudes.get(module)
        fits = a.ndim == b.ndim == 2 and 0 < len(a) == b.shape[1]
        if not fits or (magnitude is not None and magnitude.shape != b.shape[:1]):
            what = f"the pair for {module} of {source} has the shapes {a.shape} and {b.shape}"
            raise ModelError(what, cure="save it again; sharded tensors must be gathered before")
        if not all(np.isfinite(each).all() for each in (a, b, *([] if magnitude is None else [magnitude]))):
            what = f"the pair for {module} of {source} has values that are not finite"
            raise ModelError(what, cure="train it anew with a lower learning rate")


def refuse_misfit(adapter: Adapter, shape: Shape) -> None:
    """Raises ModelError unless each pair of the adapter fits a linear of a model of that shape."""
    expected = tensor_shapes(shape)
    for module, (a, b) in adapter.pairs.items():
        wanted, there = expected.get(f"{module}.weight"), (len(b), a.shape[1])
        if wanted != there:
            what = f"the adapter's pair for {module} makes {there}, where the weights have {wanted or 'nothing'}"
            named = f": {adapter.base}" if adapter.base else ""
            raise ModelError(what, cure=f"use the weights that it was trained on{named}")


def _adapter(file: Path, told: Told, tensors: Tensors) -> Adapter:
    """Pairs with an alpha or rank of their own get the scale of the others, and what they differ by goes into B."""
    found: dict[str, dict[str, Matrix]] = {}
    for name in tensors.entries:
        if not (match := _KEY.fullmatch(name.removeprefix(_PREFIX).removesuffix(".weight"))):
            cure = "train low-rank pairs for linears only, and save no embeddings"
            raise ModelError(f"{file} has the tensor {name}, which is no low-rank pair of a linear", cure=cure)
        found.setdefault(match[1], {})[match[2]] = tensors.read(name)
    magnitudes = {module: parts["lora_magnitude_vector"] for module, parts in found.items() if len(parts) == 3}
    if lone := [module for module, parts in found.items() if not {"lora_A", "lora_B"} <= parts.keys()]:
        raise ModelError(f"{file} has half a pair for {lone[0]}", cure="save the adapter again")
    if bool(magnitudes) != told.dora:
        raise ModelError(f"{file} and its configuration disagree about use_dora", cure="save the adapter again")
    plain = Adapter(
        rank=told.rank,
        alpha=told.alpha,
        pairs={module: (parts["lora_A"], parts["lora_B"]) for module, parts in sorted(found.items())},
        rslora=told.rslora,
        magnitudes=magnitudes,
        base=told.base,
    )
    refuse_broken(plain, file)
    return replace(plain, pairs={module: _rescaled(module, pair, told, plain) for module, pair in plain.pairs.items()})


def _rescaled(module: str, pair: Pair, told: Told, adapter: Adapter) -> Pair:
    import numpy as np

    a, b = pair
    own = told.alpha_of(module) / (math.sqrt(len(a)) if told.rslora else len(a))
    return pair if own == adapter.scale else (a, b * np.float32(own / adapter.scale))
