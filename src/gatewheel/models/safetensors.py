"""The safetensors format, in and out, memory-mapped and without a library. Knows no model.

Format: eight bytes of header length, a JSON header, then raw little-endian tensors without gaps
(https://github.com/huggingface/safetensors). A file may come from anyone: lengths are checked before they are used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.whole import whole_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_LONGEST_HEADER = 100_000_000  # bytes, as the format says


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A tensor of the file: its type, its shape (rows first) and the bytes `start:end` of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Tensors:
    """A safetensors file, of which nothing but the header is read until it is asked for."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError for a file that is missing, cut short or no safetensors file."""
        from gatewheel.models.mapped import MappedFile

        try:
            self._file = MappedFile(path)
            held = self._file.bytes
            size = int.from_bytes(bytes(held[:8]), "little")
            if size > min(_LONGEST_HEADER, len(held) - 8):
                raise ValueError(f"a header of {size} bytes in a file of {len(held)}")
            header = json.loads(bytes(held[8 : 8 + size]))
            said = header.pop("__metadata__", None) or {}
            self.metadata = {str(key): str(value) for key, value in said.items()}
            self.entries = {name: _entry(told, 8 + size, len(held)) for name, told in header.items()}
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}", cure="check the path") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            cure = "it may be an unfinished download; fetch it again"
            raise ModelError(f"{path} is not a usable safetensors file ({error})", cure=cure) from error
        self.path = path

    def read(self, name: str) -> Array:
        """The tensor as float32, in memory of its own. Raises ModelError for integers and 8-bit floats."""
        import numpy as np

        entry = self.entries[name]
        raw = self._file.bytes[entry.start : entry.end]
        if entry.dtype == "BF16":  # the upper half of a float32
            found = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry.dtype in _BYTES:
            found = np.array(raw.view(f"<f{_BYTES[entry.dtype]}"), dtype=np.float32)
        else:
            what = f"the tensor {name} of {self.path} has the type {entry.dtype}, which cannot be read"
            raise ModelError(what, cure="use weights of F32, F16 or BF16")
        self._file.forget()
        return found.reshape(entry.shape)


def write(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable[Array],
    *,
    dtype: str = "F32",
    metadata: Mapping[str, str],
) -> int:
    """Write `tensors`, in the order of `shapes`, as F32, F16 or BF16; one at a time is held. Whole or not at all.

    The same tensors and metadata give the same bytes, of which the number is returned.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    at = 0
    for name, shape in shapes.items():
        size = math.prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    told = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    told += b" " * (-len(told) % 8)
    with whole_file(path) as file:
        file.write(len(told).to_bytes(8, "little") + told)
        for (name, shape), tensor in zip(shapes.items(), tensors, strict=True):
            if tensor.shape != shape:
                raise ValueError(f"{name} has the shape {tensor.shape} and was announced as {shape}")
            file.write(_packed(tensor, dtype))
    return 8 + len(told) + at


def _packed(tensor: Array, dtype: str) -> bytes:
    import numpy as np

    if dtype == "BF16":
        return rounded_to_bfloat16(tensor).tobytes()
    return np.ascontiguousarray(tensor, dtype=f"<f{_BYTES[dtype]}").tobytes()


def rounded_to_bfloat16(tensor: Array) -> NDArray[np.uint16]:
    """The upper halves of float32, rounded to the nearest, ties to even, as torch rounds."""
    import numpy as np

    bits = np.ascontiguousarray(tensor, dtype=np.float32).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    quiet = (bits >> 16) | 64  # rounding would turn some NaN into an infinity
    return np.where(np.isnan(tensor), quiet, rounded).astype("<u2")


def _entry(told: Any, begin: int, length: int) -> Entry:
    """ValueError when the bytes are not in the file or do not fit the shape."""
    start, end = told["data_offsets"]
    shape = tuple(told["shape"])
    if any(type(number) is not int or number < 0 for number in (start, end, *shape)) or len(shape) > 8:
        raise ValueError(f"a tensor of shape {shape} at {start}:{end}")
    size = _BYTES.get(told["dtype"])
    if start > end or begin + end > length or (size is not None and end - start != math.prod(shape) * size):
        raise ValueError(f"a tensor of shape {shape} at {start}:{end} in a file of {length} bytes")
    return Entry(dtype=str(told["dtype"]), shape=shape, start=begin + start, end=begin + end)
