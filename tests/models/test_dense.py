"""Weights are read as what they mean, under Hugging Face's names, and a file that lies is refused instead of read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama
from gguf import MODEL_ARCH, dequantize, get_tensor_name_map
from gguf import GGMLQuantizationType as Kind
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models import safetensors
from gatewheel.models.dense import Shape, open_dense, parameters, tensor_shapes
from gatewheel.models.exporting import export
from gatewheel.models.ggml_names import ggml_name, halved, interleaved
from gatewheel.models.gguf import read_layout
from gatewheel.models.weights import DEFAULT, find


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama.folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def tiny_gguf(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(open_dense(tiny), tmp_path_factory.mktemp("gguf") / "m.gguf", kind="Q4_0").path


def test_the_packaged_weights_are_what_they_mean() -> None:
    dense = open_dense(find(DEFAULT))
    assert dense.shape == Shape(
        layers=30, hidden=576, intermediate=1536, heads=9, kv_heads=3, head_dim=64, vocab=49152, context_length=8192,
        rope_theta=100000.0, norm_eps=1e-5, tied=True,
    )  # fmt: skip
    assert parameters(dense.shape) == 134_515_008
    assert dense.names() == tuple(tensor_shapes(dense.shape))
    layout, held = read_layout(find(DEFAULT)), np.memmap(find(DEFAULT), np.uint8, mode="r")
    places = {tensor.name: tensor.start for tensor in layout.tensors}
    blocks = held[places["blk.3.ffn_down.weight"] :][: 576 * 1536 // 32 * 20].reshape(576, -1)
    assert np.array_equal(dense.read("model.layers.3.mlp.down_proj.weight"), dequantize(blocks, Kind.Q4_1))
    read = dense.read("model.layers.0.self_attn.q_proj.weight")
    assert (read.dtype, read.shape, read.flags.writeable) == (np.float32, (576, 576), True)
    with pytest.raises(KeyError):
        dense.read("lm_head.weight")


@pytest.mark.train
def test_transformers_reads_the_same_from_folder_and_file(tiny: Path, tiny_gguf: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="part of the extra gatewheel[train]")
    load = transformers.AutoModelForCausalLM.from_pretrained
    read = {tiny: load(str(tiny)), tiny_gguf: load(str(tiny_gguf.parent), gguf_file=tiny_gguf.name, dtype="float32")}
    for path, model in read.items():
        dense, theirs = open_dense(path), model.state_dict()
        assert set(dense.names()) == set(theirs) - {"lm_head.weight"}
        for name in dense.names():
            np.testing.assert_allclose(dense.read(name), theirs[name].numpy(), atol=1e-6, err_msg=name)


def test_names_are_those_of_gguf_py(tiny: Path) -> None:
    known = get_tensor_name_map(MODEL_ARCH.LLAMA, 2)
    shape = open_dense(tiny).shape
    for name in [*tensor_shapes(shape), "lm_head.weight"]:
        assert ggml_name(name) == known.get_name(name, try_suffixes=(".weight",))
    for name in ("model.layers.x.mlp.up_proj", "model.layers.0.mlp.experts", "encoder.layers.0.mlp.up_proj"):
        with pytest.raises(KeyError):
            ggml_name(name)


def test_rows_of_queries_and_keys_change_their_places_there_and_back(tiny: Path) -> None:
    shape = open_dense(tiny).shape
    rows = np.arange(64 * 3, dtype=np.float32).reshape(64, 3)
    moved = interleaved("model.layers.0.self_attn.q_proj", rows, shape)
    assert moved[:4, 0].tolist() == [0, 8 * 3, 3, 9 * 3]  # the two halves of a head of 16, by turns
    assert np.array_equal(halved("model.layers.0.self_attn.q_proj.weight", moved, shape), rows)
    assert interleaved("model.layers.0.self_attn.o_proj", rows, shape) is rows


def test_a_folder_in_shards_reads_like_one_in_a_file(tiny: Path, tmp_path: Path) -> None:
    whole = open_dense(tiny)
    shutil.copytree(tiny, tmp_path / "shards")
    (tmp_path / "shards" / "model.safetensors").unlink()
    places = {name: f"model-0000{number % 2 + 1}-of-00002.safetensors" for number, name in enumerate(whole.names())}
    for file in set(places.values()):
        shapes = {name: shape for name, shape in tensor_shapes(whole.shape).items() if places[name] == file}
        tensors = [whole.read(name) for name in shapes]
        safetensors.write(tmp_path / "shards" / file, shapes, tensors, metadata={})
    index = tmp_path / "shards" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    sharded = open_dense(tmp_path / "shards")
    assert all(np.array_equal(sharded.read(name), whole.read(name)) for name in whole.names())
    index.write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    with pytest.raises(ModelError, match="names other files than safetensors beside it"):
        open_dense(tmp_path / "shards")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architectures": ["Qwen2ForCausalLM"]}, "architecture .*Qwen2.*use weights of the llama family"),
        ({"architectures": None}, "has the architecture None"),
        ({"attention_bias": True}, "attention_bias = True"),
        ({"hidden_act": "gelu"}, "hidden_act = gelu"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "stretched positions of the kind 'yarn'"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "does not describe a model"),
        ({"hidden_size": "64"}, None),  # a number in quotes is one
        ({"hidden_size": 128}, r"the shape \(.*its settings ask for one of"),
        ({"num_hidden_layers": 3}, "no tensor model.layers.2"),
        ({"num_hidden_layers": 1}, "has the tensor model.layers.1.* which a model of the llama family .* has not"),
        ({"num_hidden_layers": 10**12}, "claims 1000000000000 layers"),
        ({"num_attention_heads": 0}, "does not describe a model"),
        ({"num_key_value_heads": 3}, "claims 4 heads of 16, 3 for keys"),
        ({"rms_norm_eps": "nan"}, "norm_eps nan"),
        ({"tie_word_embeddings": False}, None),  # no matrix of the output is there, so it is tied
    ],
)
def test_another_family_and_damage_are_told(tiny: Path, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    shutil.copytree(tiny, tmp_path / "m")
    config = json.loads((tiny / "config.json").read_text()) | changed
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    if said is None:
        assert open_dense(tmp_path / "m").shape == open_dense(tiny).shape
        return
    with pytest.raises(ModelError, match=said):
        open_dense(tmp_path / "m")


def test_what_is_missing_is_told(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"no weights at .*name a GGUF file or a Hugging Face folder"):
        open_dense(tmp_path / "nothing")
    with pytest.raises(MissingPart, match=r"no model.safetensors in .*pickled weights are not read"):
        open_dense(tmp_path)
    shutil.copy(tiny / "model.safetensors", tmp_path)
    with pytest.raises(MissingPart, match=r"cannot read .*config.json"):
        open_dense(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="is not JSON"):
        open_dense(tmp_path)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_but_never_anything_else(
    tiny: Path, tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    source = data.draw(st.sampled_from([tiny / "model.safetensors", tiny_gguf]))
    raw = bytearray(source.read_bytes())
    header = 3_000 if source.suffix != ".gguf" else 30_000
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, min(header, len(raw)) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(raw)))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / source.name).write_bytes(raw[:cut])
    shutil.copy(tiny / "config.json", folder)
    refused = ""
    try:
        dense = open_dense(folder / source.name if source.suffix == ".gguf" else folder)
        for name in dense.names():
            assert dense.read(name).shape == tensor_shapes(dense.shape)[name]
    except ModelError as error:
        refused = error.what
    assert not refused or str(folder) in refused


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_a_safetensors_file_is_that_of_the_library(tmp_path: Path, dtype: str) -> None:
    library = pytest.importorskip("safetensors.torch", reason="part of the extra gatewheel[train]")
    torch = pytest.importorskip("torch", reason="part of the extra gatewheel[train]")
    wanted = {"a": np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32), "b": np.float32([np.nan, 1e-8, 3])}
    shapes = {name: each.shape for name, each in wanted.items()}
    size = safetensors.write(tmp_path / "x", shapes, wanted.values(), dtype=dtype, metadata={"who": "me"})
    assert size == (tmp_path / "x").stat().st_size
    theirs = library.load_file(tmp_path / "x")
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    ours = safetensors.Tensors(tmp_path / "x")
    for name, each in wanted.items():
        torch.testing.assert_close(
            theirs[name], torch.from_numpy(each).to(types[dtype]), rtol=0, atol=0, equal_nan=True
        )
        np.testing.assert_array_equal(ours.read(name), theirs[name].float().numpy())
    library.save_file(theirs, tmp_path / "y", metadata={"who": "me"})
    again = safetensors.Tensors(tmp_path / "y")
    assert again.metadata == ours.metadata == {"who": "me"}
    np.testing.assert_array_equal(again.read("a"), ours.read("a"))


def test_integers_are_not_taken_for_weights(tmp_path: Path) -> None:
    told = json.dumps({"a": {"dtype": "I8", "shape": [2], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "x").write_bytes(len(told).to_bytes(8, "little") + told + b"ab")
    with pytest.raises(ModelError, match=r"tensor a of .* has the type I8"):
        safetensors.Tensors(tmp_path / "x").read("a")
