"""The weights of a GGUF file as bytes and as what they mean. Knows ggml's types, no model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.gguf import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]


def kind_of(tensor: Tensor, source: Path) -> Any:
    """The ggml type of the tensor. Raises ModelError for one that nobody knows."""
    from gguf import GGMLQuantizationType as Kind

    try:
        return Kind(tensor.kind)
    except ValueError as error:
        raise unreadable(tensor, source, f"unknown type {tensor.kind}") from error


def rows_of(held: Bytes, tensor: Tensor, source: Path) -> Bytes:
    """The bytes of the tensor in `held`, the whole file: shape (rows, bytes of a row).

    Raises ModelError where the file is too short for them.
    """
    rows, width = in_bytes(tensor.shape, kind_of(tensor, source))
    if tensor.start + rows * width > len(held):
        raise unreadable(tensor, source, "no room for its weights in the file, which may be an unfinished download")
    return held[tensor.start : tensor.start + rows * width].reshape(rows, width)


def meant(rows: Bytes, tensor: Tensor, source: Path) -> NDArray[np.float32]:
    """Rows of bytes as the weights that they stand for. Raises ModelError for a type that gguf-py cannot read."""
    from gguf import dequantize

    kind = kind_of(tensor, source)
    try:
        weights: NDArray[np.float32] = dequantize(rows, kind)
    except NotImplementedError as error:
        raise unreadable(tensor, source, f"the type {kind.name}, which cannot be read") from error
    return weights


def in_bytes(shape: tuple[int, ...], kind: Any) -> tuple[int, int]:
    """Rows, and bytes of each, of a tensor whose `shape` starts with the axis that varies fastest."""
    from gguf import GGML_QUANT_SIZES

    weights, size = GGML_QUANT_SIZES[kind]
    columns, *rest = shape or (1,)
    return math.prod(rest), -(-columns // weights) * size


def padded(length: int, alignment: int) -> int:
    """The next multiple."""
    return -(-length // alignment) * alignment


def unreadable(tensor: Tensor, source: Path, why: str) -> ModelError:
    """The error that says why a tensor cannot be used."""
    return ModelError(f"the tensor {tensor.name} of {source} has {why}", cure="use the engine llama.cpp for them")
