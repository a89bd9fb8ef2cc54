"""The embedded encoder gives the vectors of sentence-transformers, whatever the batch, the thread or the order."""

from __future__ import annotations

import base64
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.embeddings import openvino, weights
from gatewheel.kernel.errors import MissingPart, ModelError

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))["cases"]
TEXTS = [case["text"] for case in GOLDEN]


@cache
def encoder(**said: Any) -> openvino.OpenVINOEncoder:
    return openvino.create(openvino.Settings(**said))


def reference() -> np.ndarray:
    rows = [np.frombuffer(base64.b64decode(case["vector"]), "<f2") for case in GOLDEN]
    found = np.stack(rows).astype(np.float64)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize(("precision", "least"), [("f32", 0.99999), ("bf16", 0.999), ("auto", 0.999)])
def test_vectors_are_those_of_sentence_transformers(precision: str, least: float) -> None:
    cosines = (encoder(precision=precision).encode(TEXTS) * reference()).sum(axis=1)
    assert {case["name"]: c for case, c in zip(GOLDEN, cosines, strict=True) if c < least} == {}


def test_rows_are_unit_float32_in_the_order_asked_whatever_stands_beside_them() -> None:
    one = encoder(precision="f32")
    alone = np.concatenate([one.encode([text]) for text in TEXTS])
    assert alone.dtype == np.float32
    assert alone.shape == (len(TEXTS), one.dimensions)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    together = one.encode([TEXTS[i] for i in order])
    np.testing.assert_allclose(together, alone[order], atol=2e-5)


def test_a_large_call_of_mixed_lengths_equals_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Clause {i}. " + "The tenant pays the rent. " * (i % 13) for i in range(150)]
    whole = encoder(precision="f32").encode(texts)
    monkeypatch.setattr(openvino, "WINDOW", 7)
    monkeypatch.setattr(openvino, "BATCH_TOKENS", 64)
    np.testing.assert_allclose(encoder(precision="f32").encode(texts), whole, atol=2e-5)


def test_a_text_longer_than_max_tokens_counts_up_to_there() -> None:
    one = encoder(precision="f32")
    assert one.max_tokens == 256
    text = "wheel " * 600
    cut = text[: int(one.starts(text)[254])]  # two of the 256 are special
    np.testing.assert_allclose(one.encode([text]), one.encode([cut]), atol=1e-6)
    short = encoder(precision="f32", max_tokens=16)
    assert float((short.encode([TEXTS[-1]]) * one.encode([TEXTS[-1]])).sum()) < 0.99


def test_no_texts_give_no_rows() -> None:
    assert encoder().encode([]).shape == (0, 384)


def test_threads_may_share_it() -> None:
    one = encoder(precision="f32")
    fresh = openvino.create(openvino.Settings(precision="f32"))
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda text: fresh.encode([text])[0], TEXTS * 4))
    np.testing.assert_allclose(rows, np.tile(one.encode(TEXTS), (4, 1)), atol=2e-5)


ALPHABET = "ab I,.é\u0301ß½ﬁ京テ가🚀👍🏽\u200d\n\t\r \u00a0\u3000\u0085\x1c\x00[SEP]##'"


@settings(max_examples=300, deadline=None)
@given(st.text(ALPHABET, max_size=400) | st.text(max_size=200), st.integers(1, 40), st.integers(1, 5))
def test_token_starts_are_those_of_the_whole_text(text: str, piece: int, pieces: int) -> None:
    one = encoder()
    whole = [start for start, _ in one._counter.encode(text, add_special_tokens=False).offsets]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "PIECE", piece)
        patch.setattr(openvino, "PIECES", pieces)
        found = one.starts(text)
    assert found.dtype == np.int32
    assert found.tolist() == whole


def test_the_id_names_what_decides_the_vectors(tmp_path: Path) -> None:
    same = openvino.create(openvino.Settings(precision="f32", threads=1))
    assert encoder().id == same.id
    assert encoder(max_tokens=16).id != same.id
    folder = copied(tmp_path)
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    first_token = openvino.create(openvino.Settings(weights=str(folder)))
    assert first_token.id.split("-")[-1] != same.id.split("-")[-1]
    assert float((first_token.encode(TEXTS[:1]) * encoder().encode(TEXTS[:1])).sum()) < 0.99


def test_the_id_is_remembered_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "cache"))
    folder = copied(tmp_path)
    said = openvino.Settings(weights=str(folder))
    first = openvino.create(said).id
    assert openvino.create(said).id == first
    for note in (tmp_path / "cache" / "digests").iterdir():
        note.write_text("damaged")
    assert openvino.create(said).id == first
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\0")
    assert openvino.create(said).id != first
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "file"))
    assert openvino.create(openvino.Settings()).id == encoder().id


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    folder = copied(tmp_path, weights_too=False)
    for dtype, least in (("F16", 0.9999), ("BF16", 0.999)):
        stored_as(folder, dtype)
        rows = openvino.create(openvino.Settings(weights=str(folder), precision="f32")).encode(TEXTS)
        assert (rows * reference()).sum(axis=1).min() > least


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"no encoder folder at 'nowhere'; set `weights`"):
        openvino.create(openvino.Settings(weights="nowhere"))
    with pytest.raises(MissingPart, match=r"has no model\.safetensors"):
        openvino.create(openvino.Settings(weights=str(tmp_path)))
    with pytest.raises(ModelError, match="max_tokens is 513, but 'model' has 512 positions; lower"):
        openvino.create(openvino.Settings(max_tokens=513))
    folder = copied(tmp_path)
    for damage in (b"", b"\x10\0\0\0\0\0\0\0not a header at all", (folder / "model.safetensors").read_bytes()[:50_000]):
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors").write_bytes(damage)
        with pytest.raises(ModelError, match="not a whole safetensors file; download"):
            openvino.create(openvino.Settings(weights=str(folder))).encode(["x"])


def copied(tmp_path: Path, *, weights_too: bool = True) -> Path:
    folder = tmp_path / "model"
    ignored = None if weights_too else shutil.ignore_patterns("*.safetensors")
    shutil.copytree(weights.find(""), folder, ignore=ignored, dirs_exist_ok=True)
    return folder


def stored_as(folder: Path, dtype: str) -> None:
    tensors = weights.read_tensors(weights.find("") / "model.safetensors")
    header, parts, end = {}, [], 0
    for name, tensor in tensors.items():
        if dtype == "F16":
            raw = tensor.astype("<f2").tobytes()
        else:
            raw = (np.ascontiguousarray(tensor).view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": [end, end + len(raw)]}
        end += len(raw)
        parts.append(raw)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
