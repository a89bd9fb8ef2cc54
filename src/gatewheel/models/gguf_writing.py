"""Writes GGUF files, version 3 of ggml's docs/gguf.md: streamed, and whole or not at all. Knows no model."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gatewheel.models import k_quants
from gatewheel.models.gguf_tensors import in_bytes, padded
from gatewheel.models.whole import whole_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pieces = Iterable[NDArray[Any]]

ALIGNMENT = 32  # bytes; the format's own unless a key says otherwise
_CHUNK = 2**22  # weights at a time: 16 MB as float32

# the numbers of ggml's llama_ftype, which `general.file_type` tells
FILE_TYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q5_1": 9, "Q5_0": 8, "Q4_K_M": 15, "Q4_1": 3,
    "Q4_0": 2,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A tensor that is to be written: `shape` has rows first, `kind` is the name of a ggml type."""

    name: str
    shape: tuple[int, ...]
    kind: str


def write(path: Path, keys: Mapping[str, bytes], slots: Sequence[Slot], tensors: Iterable[Pieces]) -> int:
    """Write a file of these keys and of the `tensors`, in the order of the slots, each as pieces of bytes.

    The same arguments give the same bytes, of which the number is returned; whole or not at all. Raises UserError
    without room.
    """
    with whole_file(path) as file:
        return write_to(file, keys, slots, tensors)


def write_to(
    file: BinaryIO,
    keys: Mapping[str, bytes],
    slots: Sequence[Slot],
    tensors: Iterable[Pieces],
    *,
    alignment: int = ALIGNMENT,
) -> int:
    """The same to a file that is open and empty. Another `alignment` stands among the keys too."""
    from gguf import GGMLQuantizationType

    file.write(b"GGUF" + struct.pack("<IQQ", 3, len(slots), len(keys)))
    for name, value in keys.items():
        file.write(_text(name) + value)
    at = 0
    for slot in slots:
        kind, shape = GGMLQuantizationType[slot.kind], slot.shape[::-1]
        file.write(_text(slot.name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, at))
        at += padded(math.prod(in_bytes(shape, kind)), alignment)
    end = padded(file.tell(), alignment) + at
    for tensor in tensors:
        file.write(bytes(padded(file.tell(), alignment) - file.tell()))
        for piece in tensor:
            file.write(piece.data)
    file.write(bytes(padded(file.tell(), alignment) - file.tell()))
    if file.tell() != end:
        raise ValueError(f"{end} bytes were announced and {file.tell()} written")
    return end


def pieces(weights: NDArray[np.float32], kind: str) -> Pieces:
    """The bytes of a matrix in the ggml type `kind`, some rows at a time."""
    import numpy as np
    from gguf import GGMLQuantizationType, quantize

    rows = np.ascontiguousarray(weights).reshape(-1, weights.shape[-1])
    step = max(1, _CHUNK // rows.shape[1])
    for row in range(0, len(rows), step):
        if kind in k_quants.KINDS:
            yield k_quants.quantised(rows[row : row + step], kind)
            continue
        yield np.ascontiguousarray(quantize(rows[row : row + step], GGMLQuantizationType[kind]))


def packed(value: Any) -> bytes:
    """A value of a key, with its type: a text, a truth, an integer or float of 32 bits, or a sequence of one kind."""
    if isinstance(value, (list, tuple)):
        # llama.cpp refuses unsigned numbers where gguf-py's converters write signed ones
        items = [struct.pack("<Ii", 5, each) if type(each) is int else packed(each) for each in value]
        kind = items[0][:4] if items else struct.pack("<I", 8)
        if any(each[:4] != kind for each in items):
            raise ValueError("an array of several kinds")
        return struct.pack("<I", 9) + kind + struct.pack("<Q", len(items)) + b"".join(each[4:] for each in items)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    return struct.pack("<If", 6, value)


def _text(text: str) -> bytes:
    told = text.encode()
    return struct.pack("<Q", len(told)) + told
