"""An adapter as a GGUF file of its own, which llama.cpp adds to the weights while it computes.

Names and keys are those of llama.cpp's convert_lora_to_gguf.py, read by `llama_adapter_lora_init_impl`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewheel.kernel.errors import MissingPart, ModelError, UserError
from gatewheel.models import gguf_writing
from gatewheel.models.adapters import Adapter, refuse_broken, refuse_misfit
from gatewheel.models.dense import Shape
from gatewheel.models.ggml_names import ggml_name, interleaved
from gatewheel.models.gguf import read_keys, read_layout
from gatewheel.models.gguf_writing import FILE_TYPES, Slot, packed

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix

KINDS = ("F32", "F16", "BF16")
_ENDS = {"lora_a": 0, "lora_b": 1}


def write_lora_gguf(adapter: Adapter, shape: Shape, path: Path, *, kind: str = "F32") -> int:
    """Write the adapter of a model of that shape to `path`; the number of bytes is returned. Whole or not at all.

    Raises UserError for another kind, for DoRA, which llama.cpp cannot add, and without room; ModelError for a misfit.
    """
    if kind not in KINDS:
        raise UserError(f"no adapter of the kind '{kind}' can be written", cure=f"choose one of {', '.join(KINDS)}")
    if adapter.dora:
        raise UserError("llama.cpp adds no adapter of DoRA while it computes", cure="merge it into the weights")
    refuse_broken(adapter, path)
    refuse_misfit(adapter, shape)
    keys = {
        "general.type": packed("adapter"),
        "general.architecture": packed("llama"),
        "adapter.type": packed("lora"),
        # llama.cpp divides it by the rank of each pair, never by its root
        "adapter.lora.alpha": packed(float(adapter.scale * adapter.rank)),
        "general.file_type": packed(FILE_TYPES[kind]),
    }
    tensors = {}
    for module, (a, b) in adapter.pairs.items():
        ggml = f"{ggml_name(module)}.weight"
        tensors[f"{ggml}.lora_a"] = a
        tensors[f"{ggml}.lora_b"] = interleaved(module, _as_if(b, adapter.rank), shape)
    slots = [Slot(name=name, shape=tensor.shape, kind=kind) for name, tensor in tensors.items()]
    return gguf_writing.write(path, keys, slots, (gguf_writing.pieces(each, kind) for each in tensors.values()))


def refuse_unfit(adapter: Path, weights: Path) -> None:
    """Raises MissingPart without the file `adapter`, ModelError unless it is a LoRA-GGUF for the GGUF file `weights`.

    llama.cpp itself would say no more than that it cannot load it.
    """
    if not adapter.is_file():
        cure = "write it with `gatewheel models export`" if adapter.is_dir() else "check the path"
        raise MissingPart(f"no adapter of GGUF at '{adapter}'", cure=cure)
    said, family = read_keys(adapter), read_keys(weights).get("general.architecture")
    kind = said.get("general.type"), said.get("adapter.type")
    if kind != ("adapter", "lora"):
        raise ModelError(f"{adapter} is no LoRA adapter but of the kind {kind[0]}", cure="put weights into `weights`")
    if said.get("general.architecture") != family:
        what = f"{adapter} is for the architecture {said.get('general.architecture')}, the weights are of {family}"
        raise ModelError(what, cure="use the weights that it was trained on")
    held = {tensor.name: tensor.shape for tensor in read_layout(weights).tensors}
    for tensor in read_layout(adapter).tensors:
        name, _, end = tensor.name.rpartition(".")
        axis = _ENDS.get(end, 0)
        there = held.get(name, ())
        if len(tensor.shape) != 2 or len(there) != 2 or tensor.shape[axis] != there[axis]:
            what = f"{adapter} has {tensor.shape} for {tensor.name}, where {weights} has {there or 'nothing'}"
            raise ModelError(what, cure="use the weights that it was trained on")


def _as_if(b: Matrix, rank: int) -> Matrix:
    """B such that alpha divided by its own rank gives what alpha divided by `rank` gave."""
    import numpy as np

    own = b.shape[1]
    return b if own == rank else b * np.float32(own / rank)
