"""The header of a GGUF file: what a model says of itself, and where its tensors lie. Reads none of the weights.

Format: "GGUF", version 3, of ggml's docs/gguf.md. The file may come from anyone, so every length is checked against
the bytes that are there before it is used, and a file that lies is refused instead of read.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from gatewheel.kernel.errors import ModelError

Read = TypeVar("Read")

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_CONTROL = 3  # value of tokenizer.ggml.token_type for tokens such as <|im_end|>
_MAX_ENTRIES = 10_000  # keys and tensors; the largest public files have about 2,500 tensors
_MAX_NAME = 65_535  # bytes of a key, as the format says
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the header says. Lengths are in tokens, 0 or "" where the file is silent."""

    architecture: str
    name: str
    licence: str
    quantisation: str
    parameters: int
    context_length: int
    chat_template: str
    control_tokens: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A line of the table of tensors. `shape` starts with the axis that varies fastest; offsets are in bytes."""

    name: str
    shape: tuple[int, ...]
    kind: int  # ggml_type: 0 is F32, 1 F16, 3 Q4_1, 8 Q8_0 …
    start: int  # where its weights begin in the file


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where the weights lie in a file: each tensor begins at a multiple of `alignment` bytes."""

    alignment: int
    tensors: tuple[Tensor, ...]


class _Damaged(Exception):
    """The bytes do not follow the format."""


class _Bytes:
    """A cursor over the file that cannot leave it."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise _Damaged(f"{length} bytes wanted at offset {self.at} of {len(self.data)}")
        taken = bytes(self.data[self.at : end])
        self.at = end
        return taken

    def scalar(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self, *, at_most: int | None = None) -> str:
        length = self.scalar("Q")
        if at_most is not None and length > at_most:
            raise _Damaged(f"a name of {length} bytes at offset {self.at}")
        return self.take(length).decode("utf-8", "replace")


def read_header(path: Path) -> Header:
    """The header of the GGUF file at `path`.

    Raises ModelError when the file is missing, is no GGUF file, is cut short or contradicts itself.
    """
    return _read(path, parse_header)


def read_layout(path: Path) -> Layout:
    """Where the tensors of the GGUF file at `path` lie. Raises ModelError like read_header."""
    return _read(path, parse_layout)


def read_keys(path: Path, *, texts: bool = False) -> dict[str, Any]:
    """Every key of the GGUF file at `path`: numbers, texts, and arrays as tuples. Raises ModelError like read_header.

    Arrays of texts, which a vocabulary makes long, are left out unless `texts` asks for them.
    """
    return _read(path, lambda data: parse_keys(data, texts=texts))


def read_raw_keys(path: Path) -> dict[str, bytes]:
    """Each key of the GGUF file at `path` with its type and value as bytes. Raises ModelError like read_header."""
    return _read(path, parse_raw_keys)


def _read(path: Path, parse: Callable[[mmap.mmap], Read]) -> Read:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}", cure="check the path") from error
    except (_Damaged, ValueError) as error:  # mmap refuses an empty file with a ValueError
        cure = "it may be an unfinished download; fetch it again"
        raise ModelError(f"{path} is not a usable GGUF file ({error})", cure=cure) from error


def parse_header(data: mmap.mmap | bytes) -> Header:
    """The header in `data`, which starts where the file does."""
    cursor = _Bytes(data)
    said, tensors = _keys(cursor)
    return _header(said, parameters=sum(math.prod(tensor.shape) for tensor in _table(cursor, tensors)))


def parse_keys(data: mmap.mmap | bytes, *, texts: bool) -> dict[str, Any]:
    """The keys in `data`, which starts where the file does."""
    said, _ = _keys(_Bytes(data))
    strings = {key: tuple(value) if texts else None for key, value in said.items() if isinstance(value, _Strings)}
    return {key: value for key, value in (said | strings).items() if value is not None}


def parse_layout(data: mmap.mmap | bytes) -> Layout:
    """Where the tensors lie in `data`, which starts where the file does. Their lengths are for the reader to check."""
    cursor = _Bytes(data)
    said, count = _keys(cursor)
    table = list(_table(cursor, count))
    alignment = said.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= 2**20:
        raise _Damaged(f"general.alignment = {alignment}")
    weights = -(-cursor.at // alignment) * alignment
    tensors = tuple(replace(tensor, start=weights + tensor.start) for tensor in table)
    return Layout(alignment=alignment, tensors=tensors)


def parse_raw_keys(data: mmap.mmap | bytes) -> dict[str, bytes]:
    """Each key in `data`, which starts where the file does, with its type and value as they stand in the file."""
    cursor = _Bytes(data)
    found = {}
    for _ in range(_begin(cursor)[1]):
        name, begin = cursor.text(at_most=_MAX_NAME), cursor.at
        _value(cursor, cursor.scalar("I"))
        found[name] = bytes(data[begin : cursor.at])
    return found


def _keys(cursor: _Bytes) -> tuple[dict[str, Any], int]:
    """All keys with their values, and how many tensors are to follow; the cursor stands at the first of them then."""
    tensors, keys = _begin(cursor)
    return {cursor.text(at_most=_MAX_NAME): _value(cursor, cursor.scalar("I")) for _ in range(keys)}, tensors


def _begin(cursor: _Bytes) -> tuple[int, int]:
    """How many tensors and keys there are; the cursor stands at the first key then."""
    if cursor.take(4) != b"GGUF":
        raise _Damaged("it does not start with GGUF")
    version = cursor.scalar("I")
    if version not in (2, 3):
        raise _Damaged(f"version {version}; 2 and 3 are known")
    tensors, keys = cursor.scalar("Q"), cursor.scalar("Q")
    if max(tensors, keys) > _MAX_ENTRIES:
        raise _Damaged(f"it claims {keys} keys and {tensors} tensors; at most {_MAX_ENTRIES} of each are read")
    return tensors, keys


def _header(said: dict[str, Any], *, parameters: int) -> Header:
    def text(key: str) -> str:
        return value if isinstance(value := said.get(key), str) else ""

    def number(key: str) -> int:
        return value if isinstance(value := said.get(key), int) else 0

    architecture = text("general.architecture")
    return Header(
        architecture=architecture,
        name=text("general.name"),
        licence=text("general.license"),
        quantisation=_FILE_TYPES.get(number("general.file_type"), "") if "general.file_type" in said else "",
        parameters=parameters,
        context_length=number(f"{architecture}.context_length"),
        chat_template=text("tokenizer.chat_template"),
        control_tokens=_control_tokens(said),
    )


def _control_tokens(said: dict[str, Any]) -> tuple[str, ...]:
    tokens, types = said.get("tokenizer.ggml.tokens"), said.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, _Strings) or not isinstance(types, tuple) or len(types) != tokens.count:
        return ()
    wanted = {i for i, kind in enumerate(types) if kind == _CONTROL}
    return tuple(text for i, text in enumerate(tokens) if i in wanted)


def _value(cursor: _Bytes, kind: int) -> Any:
    if kind in _SCALARS:
        return cursor.scalar(_SCALARS[kind])
    if kind == _STRING:
        return cursor.text()
    if kind == _ARRAY:
        return _array(cursor)
    raise _Damaged(f"unknown value type {kind} at offset {cursor.at}")


@dataclass(frozen=True, slots=True)
class _Strings:
    """An array of strings that is decoded only when walked: a vocabulary has 50,000 and is rarely wanted."""

    data: mmap.mmap | bytes
    start: int
    count: int

    def __iter__(self) -> Iterator[str]:
        cursor = _Bytes(self.data)
        cursor.at = self.start
        return (cursor.text() for _ in range(self.count))


def _array(cursor: _Bytes) -> Any:
    kind, count = cursor.scalar("I"), cursor.scalar("Q")
    if kind in _SCALARS:
        code = _SCALARS[kind]
        return struct.unpack(f"<{count}{code}", cursor.take(count * struct.calcsize("<" + code)))
    if kind != _STRING:
        raise _Damaged(f"an array of type {kind} at offset {cursor.at}")
    strings = _Strings(cursor.data, cursor.at, count)
    if count * 8 > len(cursor.data) - cursor.at:
        raise _Damaged(f"an array of {count} strings at offset {cursor.at} of {len(cursor.data)}")
    _skip_strings(cursor, count)
    return strings


def _skip_strings(cursor: _Bytes, count: int) -> None:
    # the only hot loop of the file (100,000 strings for a small model), so it does without the cursor's methods
    data, at, end, length_at = cursor.data, cursor.at, len(cursor.data), struct.Struct("<Q").unpack_from
    for _ in range(count):
        if at + 8 > end:
            raise _Damaged(f"a string wanted at offset {at} of {end}")
        at += 8 + length_at(data, at)[0]
    if at > end:
        raise _Damaged(f"a string that ends at offset {at} of {end}")
    cursor.at = at


def _table(cursor: _Bytes, tensors: int) -> Iterator[Tensor]:
    """The lines of the table; `start` counts from the first byte of the weights, which is known only at its end."""
    for _ in range(tensors):
        name = cursor.text(at_most=_MAX_NAME)
        rank = cursor.scalar("I")
        if rank > 4:
            raise _Damaged(f"a tensor of {rank} dimensions at offset {cursor.at}")
        shape = tuple(cursor.scalar("Q") for _ in range(rank))
        kind, start = cursor.scalar("I"), cursor.scalar("Q")
        yield Tensor(name=name, shape=shape, kind=kind, start=start)
