"""A GGUF file whose every weight OpenVINO keeps: what its import would distort or refuse is written anew, in pieces.

OpenVINO GenAI 2026.4 rounds the zero point of every block of Q4_1 and Q4_K to an integer, which is an error of 8 % and
20 % of the weights' spread, and it refuses many other types. So these tensors become Q8_0, ggml's int8 in groups of 32
with a float16 scale, from the weights that the file means; matrices of F32 and BF16 become F16. Knows no model: names,
shapes and the order of rows stay, so whatever the import does with them, it does as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.models.gguf import Layout, Tensor, read_layout, read_raw_keys
from gatewheel.models.gguf_tensors import kind_of, meant, rows_of
from gatewheel.models.gguf_writing import Slot, write_to

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

    kind = kind_of(tensor, source)
    if kind == Kind.F32 and len(tensor.shape) < 2:
        return kind
    if exact:
        return Kind.F16
    return kind if kind.name in _KEPT else Kind.F16 if kind.name in _PLAIN else Kind.Q8_0


def _write(source: Path, target: Path, layout: Layout, kinds: list[Any]) -> None:
    import numpy as np

    held = np.memmap(source, dtype=np.uint8, mode="r")
    slots = [
        Slot(name=tensor.name, shape=tensor.shape[::-1], kind=kind.name)
        for tensor, kind in zip(layout.tensors, kinds, strict=True)
    ]
    made = (_pieces(held, tensor, kind, source) for tensor, kind in zip(layout.tensors, kinds, strict=True))
    with target.open("wb") as file:
        write_to(file, read_raw_keys(source), slots, made, alignment=layout.alignment)


def _pieces(held: Bytes, tensor: Tensor, kind: Any, source: Path) -> Iterator[Bytes]:
    """The bytes of the tensor in the type `kind`, some rows at a time."""
    from gguf import quantize

    weights = rows_of(held, tensor, source)
    step = max(1, _CHUNK // max(1, tensor.shape[0]))
    for row in range(0, len(weights), step):
        piece = weights[row : row + step]
        yield piece if kind == tensor.kind else quantize(meant(piece, tensor, source), kind)
