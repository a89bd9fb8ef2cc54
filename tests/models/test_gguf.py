"""The header of a GGUF file: read right when it is honest, refused when it is not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import ModelError
from gatewheel.models import gguf
from gatewheel.models.weights import DEFAULT, find


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def string(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


def strings(key: str, values: list[str]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def integers(key: str, values: list[int]) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 5, len(values)) + struct.pack(f"<{len(values)}i", *values)


def tensor(name: str, *shape: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", 0, 0)


def file(*entries: bytes, tensors: tuple[bytes, ...] = ()) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries) + b"".join(tensors)


HONEST = file(
    string("general.architecture", "llama"),
    string("general.license", "mit"),
    number("general.file_type", 7),
    number("llama.context_length", 2048),
    strings("tokenizer.ggml.tokens", ["<|im_end|>", "hello", "wörld"]),
    integers("tokenizer.ggml.token_type", [3, 1, 1]),
    string("tokenizer.chat_template", "{{ messages }}"),
    tensors=(tensor("a", 3, 4), tensor("b", 5)),
)


def test_the_packaged_model_says_what_it_is() -> None:
    header = gguf.read_header(find(DEFAULT))
    assert (header.architecture, header.licence, header.quantisation) == ("llama", "apache-2.0", "Q4_1")
    assert (header.parameters, header.context_length) == (134_515_008, 8192)
    assert "<|im_end|>" in header.control_tokens
    assert "named SmolLM" in header.chat_template  # its template adds this system message where there is none


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(HONEST)
    header = gguf.read_header(tmp_path / "m.gguf")
    assert (header.architecture, header.licence, header.quantisation) == ("llama", "mit", "Q8_0")
    assert (header.parameters, header.context_length) == (17, 2048)
    assert header.control_tokens == ("<|im_end|>",)
    assert header.chat_template == "{{ messages }}"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a usable GGUF"),
        (b"PK\x03\x04" + bytes(40), "does not start with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9; 2 and 3 are known"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "claims 1152921504606846976 keys"),
        (file(text("k") + struct.pack("<IQ", 8, 2**62)), "wanted at offset"),
        (file(text("k") + struct.pack("<IIQ", 9, 8, 2**61)), "an array of"),
        (file(text("k") + struct.pack("<IIQ", 9, 9, 1)), "an array of type 9"),
        (file(text("k") + struct.pack("<I", 99)), "unknown value type 99"),
        (HONEST[:-9], "unfinished download"),
    ],
    ids=["empty", "zip", "version", "keys", "long-string", "long-array", "nested-array", "type", "cut"],
)
def test_a_file_that_lies_is_refused_with_its_reason(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=said):
        gguf.read_header(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none.gguf"):
        gguf.read_header(tmp_path / "none.gguf")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_does_more_than_a_clean_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(HONEST[: data.draw(st.integers(0, len(HONEST)), label="length")])
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(HONEST)), st.integers(0, 255)), max_size=6)):
        if at < len(damaged):
            damaged[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(damaged)
    try:
        header = gguf.read_header(path)
    except ModelError:
        return
    assert header.parameters >= 0
