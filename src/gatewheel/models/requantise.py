"""A GGUF file whose every weight OpenVINO keeps: what its import would distort or refuse is written anew, in pieces.

OpenVINO GenAI 2026.4 rounds the zero point of every block of Q4_1 and Q4_K to an integer, which is an error of 8 % and
20 % of the weights' spread, and it refuses many other types. So these tensors become Q8_0, ggml's int8 in groups of 32
with a float16 scale, from the weights that the file means; matrices of F32 and BF16 become F16. Knows no model: names,
shapes and the order of rows stay, so whatever the import does with them, it does as before.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.gguf import Layout, Tensor, read_layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

# by import of each type and comparison with the exact weights: no difference, but 0.0002 of the spread for Q6_K
_KEPT = {"F16", "Q4_0", "Q6_K", "Q8_0"}
_PLAIN = {"F32", "BF16"}
_CHUNK = 2**22  # weights at a time: 16 MB as float32


def make_importable(source: Path, target: Path, *, exact: bool = False) -> None:
    """Put at `target` what OpenVINO can import faithfully: a link to `source`, or a file of the types that it keeps.

    `exact` writes every matrix as F16, which holds each weight within 2^-11 of itself.

    Raises ModelError when `source` is no usable GGUF file or holds a type that cannot be read, OSError when there is
    no room.
    """
    layout = read_layout(source)
    kinds = [_kind_for(tensor, source, exact) for tensor in layout.tensors]
    if all(kind == tensor.kind for kind, tensor in zip(kinds, layout.tensors, strict=True)):
        target.symlink_to(source.resolve())
    else:
        _write(source, target, layout, kinds)


def _kind_for(tensor: Tensor, source: Path, exact: bool) -> Any:
    """The ggml type in which the import keeps the tensor."""
    from gguf import GGMLQuantizationType as Kind

    try:
        kind = Kind(tensor.kind)
    except ValueError as error:
        raise _unreadable(tensor, source, f"unknown type {tensor.kind}") from error
    if kind == Kind.F32 and len(tensor.shape) < 2:
        return kind
    if exact:
        return Kind.F16
    return kind if kind.name in _KEPT else Kind.F16 if kind.name in _PLAIN else Kind.Q8_0


def _write(source: Path, target: Path, layout: Layout, kinds: list[Any]) -> None:
    import numpy as np

    held = np.memmap(source, dtype=np.uint8, mode="r")
    with target.open("wb") as file:
        file.write(held[: layout.keys_end].data)
        offset = 0
        for tensor, kind in zip(layout.tensors, kinds, strict=True):
            begin, end = tensor.line
            file.write(held[begin : end - 12].data)
            file.write(struct.pack("<IQ", kind, offset))
            offset += _padded(math.prod(_in_bytes(tensor.shape, kind)), layout.alignment)
        for tensor, kind in zip(layout.tensors, kinds, strict=True):
            file.write(bytes(_padded(file.tell(), layout.alignment) - file.tell()))
            for piece in _pieces(held, tensor, kind, source):
                file.write(piece.data)
        file.write(bytes(_padded(file.tell(), layout.alignment) - file.tell()))


def _pieces(held: Bytes, tensor: Tensor, kind: Any, source: Path) -> Iterator[Bytes]:
    """The bytes of the tensor in the type `kind`, some rows at a time."""
    from gguf import GGMLQuantizationType, dequantize, quantize

    own = GGMLQuantizationType(tensor.kind)
    rows, width = _in_bytes(tensor.shape, own)
    if tensor.start + rows * width > len(held):
        raise _unreadable(tensor, source, "no room for its weights in the file, which may be an unfinished download")
    weights = held[tensor.start : tensor.start + rows * width].reshape(rows, width)
    step = max(1, _CHUNK // max(1, tensor.shape[0]))
    for row in range(0, rows, step):
        piece = weights[row : row + step]
        try:
            yield piece if kind == own else quantize(dequantize(piece, own), kind)
        except NotImplementedError as error:
            raise _unreadable(tensor, source, f"the type {own.name}, which cannot be read") from error


def _in_bytes(shape: tuple[int, ...], kind: Any) -> tuple[int, int]:
    """Rows, and bytes of each."""
    from gguf import GGML_QUANT_SIZES

    weights, size = GGML_QUANT_SIZES[kind]
    columns, *rest = shape or (1,)
    return math.prod(rest), -(-columns // weights) * size


def _padded(length: int, alignment: int) -> int:
    return -(-length // alignment) * alignment


def _unreadable(tensor: Tensor, source: Path, why: str) -> ModelError:
    return ModelError(f"the tensor {tensor.name} of {source} has {why}", cure="use the engine llama.cpp for them")
