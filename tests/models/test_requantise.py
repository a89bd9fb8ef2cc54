"""What OpenVINO would distort is written anew, as near to the original as int8 can be; the rest stays byte for byte.

The files are written and read by the package gguf, the reference of the format.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import ModelError
from gatewheel.models import requantise
from gatewheel.models.requantise import make_importable

Kind = GGMLQuantizationType

# where the float16 scales of a block stand; any other bytes are a valid block
SCALES = {
    Kind.Q4_1: (0, 2), Kind.Q5_0: (0,), Kind.Q5_1: (0, 2), Kind.Q2_K: (80, 82), Kind.Q3_K: (108,),
    Kind.Q4_K: (0, 2), Kind.Q5_K: (0, 2), Kind.IQ4_NL: (0,), Kind.IQ4_XS: (0,),
}  # fmt: skip
ROWS, BLOCKS = 3, 2


@st.composite
def blocks(draw: st.DrawFn) -> tuple[GGMLQuantizationType, np.ndarray[Any, np.dtype[np.uint8]]]:
    """A type, and rows of blocks of it, shape (ROWS, bytes of a row)."""
    kind = draw(st.sampled_from(sorted(SCALES)))
    size = GGML_QUANT_SIZES[kind][1]
    raw = np.frombuffer(draw(st.randoms()).randbytes(ROWS * BLOCKS * size), np.uint8).reshape(-1, size).copy()
    for block in raw:
        for at in SCALES[kind]:
            block[at : at + 2] = list(struct.pack("<e", draw(st.floats(-8, 8, width=16))))
    return kind, raw.reshape(ROWS, -1)


def write(path: Path, tensors: dict[str, tuple[GGMLQuantizationType, Any]]) -> Path:
    writer = GGUFWriter(path, "llama")
    writer.add_token_list(["<|im_end|>", "wörld"])
    writer.add_file_type(3)
    for name, (kind, data) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read(path: Path) -> dict[str, tuple[GGMLQuantizationType, Any]]:
    return {tensor.name: (tensor.tensor_type, tensor.data) for tensor in GGUFReader(path).tensors}


def keys(path: Path) -> dict[str, Any]:
    return {name: field.contents() for name, field in GGUFReader(path).fields.items() if name[:4] != "GGUF"}


@settings(max_examples=60)
@given(blocks())
def test_the_weights_that_the_file_means_survive_as_int8(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[GGMLQuantizationType, Any]
) -> None:
    kind, data = drawn
    folder = tmp_path_factory.mktemp("int8")
    norm = np.linspace(-1, 1, 7, dtype=np.float32)
    source = write(folder / "a.gguf", {"blk.0.norm": (Kind.F32, norm), "blk.0.attn_q": (kind, data)})
    make_importable(source, folder / "b.gguf")

    assert keys(folder / "b.gguf") == keys(source)
    made = read(folder / "b.gguf")
    assert list(made) == ["blk.0.norm", "blk.0.attn_q"]
    np.testing.assert_array_equal(made["blk.0.norm"][1], norm)
    assert made["blk.0.attn_q"][0] == Kind.Q8_0
    exact = dequantize(data, kind).reshape(ROWS, -1, 32)
    rebuilt = dequantize(made["blk.0.attn_q"][1], Kind.Q8_0).reshape(exact.shape)
    largest = np.abs(exact).max(axis=2, keepdims=True)
    # half a step of 127, the rounding of the scale to float16, and float16's own smallest step
    allowed = largest / 127 / 2 * 1.001 + largest / 2048 + 127 * 2.0**-25
    assert (np.abs(rebuilt - exact) <= allowed).all()


@settings(max_examples=40)
@given(blocks())
def test_exact_weights_are_those_of_the_file_as_float16(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[GGMLQuantizationType, Any]
) -> None:
    kind, data = drawn
    folder = tmp_path_factory.mktemp("exact")
    kept = quantize(np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32), Kind.Q8_0)
    source = write(folder / "a.gguf", {"q": (kind, data), "kept": (Kind.Q8_0, kept)})
    make_importable(source, folder / "b.gguf", exact=True)

    made = read(folder / "b.gguf")
    assert {one[0] for one in made.values()} == {Kind.F16}
    np.testing.assert_array_equal(made["q"][1], dequantize(data, kind).astype(np.float16))
    np.testing.assert_array_equal(made["kept"][1], dequantize(kept, Kind.Q8_0).astype(np.float16))


def test_what_openvino_keeps_is_copied_and_plain_matrices_become_float16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requantise, "_CHUNK", 300)  # pieces of one row, so that their seams are seen
    weights = np.random.default_rng(0).normal(size=(5, 256)).astype(np.float32)
    kept = {kind.name: (kind, quantize(weights, kind)) for kind in (Kind.Q4_0, Kind.Q8_0, Kind.F16)}
    changed = {kind.name: (kind, quantize(weights, kind)) for kind in (Kind.F32, Kind.BF16, Kind.Q4_1)}
    source = write(tmp_path / "a.gguf", kept | changed)
    make_importable(source, tmp_path / "b.gguf")

    made = read(tmp_path / "b.gguf")
    for name, (kind, data) in kept.items():
        assert made[name][0] == kind
        np.testing.assert_array_equal(np.asarray(made[name][1]).view(np.uint8), data.view(np.uint8))
    assert {name: made[name][0].name for name in changed} == {"F32": "F16", "BF16": "F16", "Q4_1": "Q8_0"}
    np.testing.assert_array_equal(made["F32"][1], weights.astype(np.float16))
    np.testing.assert_array_equal(made["BF16"][1], dequantize(changed["BF16"][1], Kind.BF16).astype(np.float16))


def test_a_file_that_openvino_keeps_whole_is_only_linked(tmp_path: Path) -> None:
    data = quantize(np.ones((2, 32), dtype=np.float32), Kind.Q8_0)
    source = write(tmp_path / "a.gguf", {"w": (Kind.Q8_0, data), "norm": (Kind.F32, np.ones(3, dtype=np.float32))})
    make_importable(source, tmp_path / "b.gguf")
    assert (tmp_path / "b.gguf").readlink() == source


def test_a_tensor_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "a.gguf", {"blk.0.w": (Kind.F32, np.zeros((64, 96), dtype=np.float32))})
    whole = source.read_bytes()
    source.write_bytes(whole[:-64])
    with pytest.raises(ModelError, match=r"blk\.0\.w of .* may be an unfinished download"):
        make_importable(source, tmp_path / "b.gguf")
    line = whole.index(b"blk.0.w") + len("blk.0.w") + 4 + 2 * 8
    for kind, said in ((99, "unknown type 99"), (int(Kind.I32), "the type I32, which cannot be read")):
        source.write_bytes(whole[:line] + struct.pack("<I", kind) + whole[line + 4 :])
        with pytest.raises(ModelError, match=rf"blk\.0\.w of .* has {said}; use the engine llama.cpp"):
            make_importable(source, tmp_path / "c.gguf")
