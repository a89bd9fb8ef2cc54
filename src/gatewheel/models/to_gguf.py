"""Weights of the llama family as a GGUF file of any of the usual kinds. One tensor is held at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.models import gguf_writing, k_quants
from gatewheel.models.dense import Dense, tensor_shapes
from gatewheel.models.ggml_names import ggml_name, interleaved
from gatewheel.models.gguf import read_raw_keys
from gatewheel.models.gguf_writing import FILE_TYPES, Slot, packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewheel.models.gguf_writing import Pieces

KINDS = tuple(FILE_TYPES)
_ELSEWHERE = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q5_K_S", "IQ4_NL", "IQ4_XS", "IQ3_S", "IQ2_S")
_FACTORS = "rope_freqs.weight"
_BLOCK = 32  # weights that share a scale; a row is cut into whole blocks
# what a file says of its own types, its pieces or how it was quantised, none of which holds for a new one
_OWN = ("general.file_type", "general.quantization_version", "general.alignment", "split.", "quantize.")


def write_gguf(dense: Dense, path: Path, *, kind: str) -> int:
    """Write the weights to `path`, with the keys and the tokenizer of the file or folder that they come from.

    `kind` is one of KINDS. Norms stay F32; of the kinds below eight bits the embedding and the output have more, for
    they decide the most. The same weights give the same bytes, of which the number is returned; whole or not at all.
    Raises UserError for a kind that is none, or without room, and ModelError for a tokenizer that cannot be kept.
    """
    refuse_unknown(kind)
    layers = dense.shape.layers
    slots = {name: _slot(name, shape, kind, layers) for name, shape in tensor_shapes(dense.shape).items()}

    def tensors() -> Iterator[Pieces]:
        import numpy as np

        if factors:
            yield gguf_writing.pieces(np.array(factors, np.float32), "F32")
        for name, slot in slots.items():
            yield gguf_writing.pieces(interleaved(name, dense.read(name), dense.shape), slot.kind)

    factors = dense.shape.rope_factors
    first = [Slot(name=_FACTORS, shape=(len(factors),), kind="F32")] if factors else []
    return gguf_writing.write(path, _keys(dense, kind), [*first, *slots.values()], tensors())


def refuse_unknown(kind: str) -> None:
    """Raises UserError for a kind of file that cannot be written."""
    if kind in KINDS:
        return
    what = f"no GGUF file of the kind '{kind}' can be written"
    if kind in _ELSEWHERE:
        cure = f"llama.cpp's llama-quantize makes it of one of F16; here there are {', '.join(KINDS)}"
        raise UserError(what, cure=cure)
    raise UserError(what, cure=did_you_mean(kind, KINDS))


def _slot(name: str, shape: tuple[int, ...], kind: str, layers: int) -> Slot:
    if len(shape) == 1:
        kind = "F32"
    elif kind.startswith("Q"):
        if "_K" in kind:
            kind = k_quants.kind_for(name, kind, layers)
        elif "layers" not in name:
            kind = "Q8_0"
        if shape[1] % k_quants.BLOCK:
            kind = k_quants.INSTEAD.get(kind, kind)
        if shape[1] % _BLOCK:  # llama.cpp does so too
            kind = "F16"
    return Slot(name=ggml_name(name), shape=shape, kind=kind)


def _keys(dense: Dense, kind: str) -> dict[str, bytes]:
    if dense.path.is_dir():
        from gatewheel.models.gguf_keys import keys_of_folder

        said = keys_of_folder(dense.path, dense.shape)
    else:
        said = {key: value for key, value in read_raw_keys(dense.path).items() if not key.startswith(_OWN)}
    made = {"general.file_type": packed(FILE_TYPES[kind])}
    return said | made | ({"general.quantization_version": packed(2)} if kind.startswith("Q") else {})
