"""What is exported computes what the weights and the adapter compute, and a file is whole or not there.

The reference is the forward pass in float64 (tiny_llama.py); the reader of what was written is llama.cpp itself.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, dequantize

from gatewheel.kernel.errors import MissingPart, ModelError, UserError
from gatewheel.models import llamacpp, whole
from gatewheel.models.dense import Dense, open_dense
from gatewheel.models.exporting import export
from gatewheel.models.gguf import Tensor, read_keys, read_layout
from gatewheel.models.lora_gguf import write_lora_gguf
from gatewheel.models.merging import Merged
from gatewheel.models.weights import DEFAULT, find

TEXT = tiny_llama.TEXTS[0]
NEAR = 5e-2  # over 40 tokens; llama.cpp keeps keys and values in float16


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dense:
    return open_dense(tiny_llama.folder(tmp_path_factory.mktemp("tiny") / "model"))


def told(weights: Path, **settings: Any) -> tuple[list[int], float]:
    """The tokens of TEXT and their log-probability after the token that begins one, by llama.cpp."""
    made = llamacpp.text_likelihoods(llamacpp.Settings(weights=str(weights), context_length=128, threads=1, **settings))
    try:
        return [made.reader.prefix, *made.reader.encode(TEXT)], made.rolling(TEXT).logprob
    finally:
        made.close()


def computed(dense: Dense, tokens: list[int]) -> float:
    rows = tiny_llama.logprobs(dense, tokens)
    return float(rows[np.arange(len(tokens) - 1), tokens[1:]].sum())


@pytest.mark.parametrize("changed", [{}, {"tie_word_embeddings": False}, {"head_dim": 32}])
def test_a_file_computes_what_the_weights_compute(tmp_path: Path, changed: dict[str, Any]) -> None:
    dense = open_dense(tiny_llama.folder(tmp_path / "model", **changed))
    tokens, logprob = told(export(dense, tmp_path / "m.gguf", kind="F32").path)
    assert logprob == pytest.approx(computed(dense, tokens), abs=NEAR)
    again = open_dense(tmp_path / "m.gguf")
    assert again.shape == dense.shape
    assert all(np.array_equal(again.read(name), dense.read(name)) for name in dense.names())


def test_stretched_positions_are_kept(tmp_path: Path) -> None:
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    early = rope | {"original_max_position_embeddings": 16}  # so that a short text shows it
    dense = open_dense(tiny_llama.folder(tmp_path / "model", rope_scaling=early))
    plain = open_dense(tiny_llama.folder(tmp_path / "plain"))
    tokens, logprob = told(export(dense, tmp_path / "m.gguf", kind="F32").path)
    assert logprob == pytest.approx(computed(dense, tokens), abs=NEAR)
    assert abs(logprob - computed(plain, tokens)) > 20 * NEAR
    with pytest.raises(ModelError, match=r"follow no rule .*write a GGUF file"):
        export(open_dense(tmp_path / "m.gguf"), tmp_path / "back", kind="folder")

    usual = rope | {"original_max_position_embeddings": 8192}
    dense = open_dense(tiny_llama.folder(tmp_path / "usual", rope_parameters=usual | {"rope_theta": 500000.0}))
    written = export(dense, tmp_path / "u.gguf", kind="F32").path
    back = open_dense(export(open_dense(written), tmp_path / "back", kind="folder").path)
    assert back.shape == dense.shape
    assert dense.shape.rope_factors[-1] == 8


@pytest.mark.parametrize("form", [{}, {"rslora": True}, {"dora": True}])
def test_a_merged_adapter_computes_what_is_added(tiny: Dense, tmp_path: Path, form: dict[str, bool]) -> None:
    merged = Merged(tiny, tiny_llama.adapter(tiny.shape, **form))
    tokens, logprob = told(export(merged, tmp_path / "m.gguf", kind="F32").path)
    assert logprob == pytest.approx(computed(merged, tokens), abs=NEAR)
    assert abs(logprob - computed(tiny, tokens)) > 0.5


@pytest.mark.parametrize("kind", ["F32", "F16"])
@pytest.mark.parametrize("form", [{}, {"rslora": True, "rank": 3}, {"only": "down"}])
def test_an_adapter_beside_the_weights_computes_the_same(
    tiny: Dense, tmp_path: Path, form: dict[str, Any], kind: str
) -> None:
    adapter = tiny_llama.adapter(tiny.shape, **form)
    written = tmp_path / "5d1e"  # an object has no suffix
    assert write_lora_gguf(adapter, tiny.shape, written, kind=kind) == written.stat().st_size
    base = export(tiny, tmp_path / "0f3a", kind="F32").path
    tokens, logprob = told(base, adapter=str(written))
    assert logprob == pytest.approx(computed(Merged(tiny, adapter), tokens), abs=NEAR if kind == "F32" else 0.2)
    assert told(base, adapter=str(written), adapter_scale=0)[1] == pytest.approx(told(base)[1], abs=1e-3)
    assert abs(logprob - computed(tiny, tokens)) > 0.5


def test_an_adapter_that_does_not_fit_is_refused_before_it_is_loaded(tiny: Dense, tmp_path: Path) -> None:
    base = export(tiny, tmp_path / "m.gguf", kind="Q8_0").path
    written = tmp_path / "adapter.gguf"
    write_lora_gguf(tiny_llama.adapter(tiny.shape), tiny.shape, written)

    def refused(error: type[Exception], said: str, **settings: str) -> None:
        with pytest.raises(error, match=said):
            llamacpp.create(llamacpp.Settings(threads=1, **settings))

    refused(MissingPart, "no adapter of GGUF at .*export", weights=str(base), adapter=str(tmp_path))
    refused(ModelError, "no LoRA adapter", weights=str(base), adapter=str(base))
    refused(ModelError, "where .* has .*use the weights that it was trained on", adapter=str(written))
    with pytest.raises(UserError, match=r"DoRA.*merge it"):
        write_lora_gguf(tiny_llama.adapter(tiny.shape, dora=True), tiny.shape, tmp_path / "d.gguf")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q5_0", "Q5_1", "Q4_0", "Q4_1"])
def test_each_kind_keeps_the_weights_as_well_as_it_can(tiny: Dense, tmp_path: Path, kind: str) -> None:
    written = export(tiny, tmp_path / "m.gguf", kind=kind)
    assert written.bytes == written.path.stat().st_size
    held = {each.name: each for each in GGUFReader(written.path).tensors}
    assert {name: each.tensor_type.name for name, each in held.items() if "norm" not in name} == {
        name: "Q8_0" if name == "token_embd.weight" and kind[0] == "Q" else kind for name in held if "norm" not in name
    }
    assert {each.tensor_type.name for name, each in held.items() if "norm" in name} == {"F32"}
    bits = {"F16": 11, "BF16": 8, "Q8_0": 7, "Q5_0": 4, "Q5_1": 4, "Q4_0": 3, "Q4_1": 3}[kind]
    again = open_dense(written.path)
    for name in tiny.names():
        exact = tiny.read(name)
        assert np.abs(again.read(name) - exact).max() <= np.abs(exact).max() * 2.0**-bits
    assert tiny.shape == again.shape


def test_what_the_packaged_file_says_is_kept_and_its_weights_are_those_that_it_means(tmp_path: Path) -> None:
    base = find(DEFAULT)
    written = export(open_dense(base), tmp_path / "m.gguf", kind="F16").path
    before, after = read_keys(base, texts=True), read_keys(written, texts=True)
    del before["general.quantization_version"]
    assert after == before | {"general.file_type": 1}
    own, held = np.memmap(base, np.uint8, mode="r"), np.memmap(written, np.uint8, mode="r")
    for one, two in zip(read_layout(base).tensors, sorted_like(base, written), strict=True):
        kind, count = GGMLQuantizationType(one.kind), math.prod(one.shape)
        block, size = GGML_QUANT_SIZES[kind]
        blocks = own[one.start : one.start + count // block * size].reshape(count // one.shape[0], -1)
        meant = dequantize(blocks, kind).ravel()
        dtype = np.dtype("<f4" if len(one.shape) == 1 else "<f2")
        raw = held[two.start : two.start + count * dtype.itemsize]
        assert (one.name, np.array_equal(raw.view(dtype), meant.astype(dtype))) == (two.name, True)


def sorted_like(one: Path, two: Path) -> list[Tensor]:
    """The tensors of the second file in the order of the first."""
    held = {tensor.name: tensor for tensor in read_layout(two).tensors}
    return [held[tensor.name] for tensor in read_layout(one).tensors]


@pytest.mark.parametrize(("kind", "said"), [("Q3_K_M", "llama-quantize makes it of one of F16"), ("q4_k_m", "Q4_K_M")])
def test_a_kind_that_cannot_be_written_says_what_can(tiny: Dense, tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        export(tiny, tmp_path / "m.gguf", kind=kind)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["Q4_K_M", "Q5_K_M", "Q6_K"])
def test_k_quants_are_those_of_llama_cpp(tmp_path: Path, kind: str) -> None:
    dense = open_dense(tiny_llama.folder(tmp_path / "model", intermediate_size=512, num_hidden_layers=8))
    written = export(dense, tmp_path / "m.gguf", kind=kind).path
    kinds = {each.name: each.tensor_type.name for each in GGUFReader(written).tensors}
    assert kinds["token_embd.weight"] == kinds["blk.0.attn_v.weight"] == "Q8_0"  # rows of 64 are no whole blocks
    assert kinds["blk.2.attn_q.weight"] == {"Q4_K_M": "Q5_0", "Q5_K_M": "Q5_1", "Q6_K": "Q8_0"}[kind]
    down = [kinds[f"blk.{layer}.ffn_down.weight"] for layer in range(8)]
    few = kind[:4]
    assert down == ["Q6_K", few, few, "Q6_K", few, few, "Q6_K", "Q6_K"]
    exact, again = (each.read("model.layers.1.mlp.down_proj.weight") for each in (dense, open_dense(written)))
    assert (
        np.abs(again - exact).max() <= np.abs(exact).max() * {"Q4_K_M": 1 / 8, "Q5_K_M": 1 / 16, "Q6_K": 1 / 32}[kind]
    )
    tokens, logprob = told(written)
    assert logprob == pytest.approx(computed(open_dense(written), tokens), abs=len(tokens) * 0.1)


class Failing:
    """A Dense whose last tensors cannot be read."""

    def __init__(self, dense: Dense) -> None:
        self.path, self.shape, self.names = dense.path, dense.shape, dense.names
        self._dense = dense

    def read(self, name: str) -> Any:
        if "layers.1" in name:
            raise ModelError("the disk went away")
        return self._dense.read(name)


@pytest.mark.parametrize("kind", ["F16", "folder"])
def test_what_fails_leaves_nothing_and_what_was_there_stays(tiny: Dense, tmp_path: Path, kind: str) -> None:
    to = tmp_path / "out"
    if kind != "folder":
        to.write_bytes(b"before")
    with pytest.raises(ModelError, match="went away"):
        export(Failing(tiny), to, kind=kind)
    assert [path.name for path in tmp_path.iterdir()] == ([] if kind == "folder" else ["out"])
    assert kind == "folder" or to.read_bytes() == b"before"


def test_a_folder_is_never_written_over(tiny: Dense, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="is there already; name another"):
        export(tiny, tmp_path, kind="folder")
    with pytest.raises(UserError, match=r"cannot write .*choose a place"), whole.whole_file(tmp_path / "mine" / "x"):
        pass


def test_the_same_weights_give_the_same_bytes(tiny: Dense, tmp_path: Path) -> None:
    for kind in ("Q4_0", "folder"):
        one, two = (export(tiny, tmp_path / f"{kind}{n}", kind=kind) for n in (1, 2))
        assert one.bytes == two.bytes
        files = [one.path] if kind != "folder" else sorted(one.path.iterdir())
        others = [two.path] if kind != "folder" else sorted(two.path.iterdir())
        assert [path.read_bytes() for path in files] == [path.read_bytes() for path in others]


@pytest.mark.train
def test_transformers_the_merged_folder_and_the_file_agree_in_every_probability(tiny: Dense, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="part of the extra gatewheel[train]")
    transformers = pytest.importorskip("transformers", reason="part of the extra gatewheel[train]")
    adapter = tiny_llama.adapter(tiny.shape)
    merged = Merged(tiny, adapter)
    folder = export(merged, tmp_path / "folder", kind="folder").path
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    with torch.inference_mode():
        theirs = model(torch.tensor([tokens])).logits[0].double().log_softmax(-1).numpy()
    write_lora_gguf(adapter, tiny.shape, tmp_path / "adapter.gguf")
    file = export(merged, tmp_path / "m.gguf", kind="F16").path
    base = export(tiny, tmp_path / "base.gguf", kind="F16").path
    exact = tiny_llama.logprobs(merged, tokens)
    told = {
        "folder, bfloat16": theirs,
        "file, float16": distributions(file, tokens),
        "adapter beside": distributions(base, tokens, adapter=str(tmp_path / "adapter.gguf")),
    }
    for name, rows in told.items():
        assert (np.exp(exact) * (exact - rows)).sum(-1).mean() < 1e-3, name


def distributions(weights: Path, tokens: list[int], **settings: Any) -> Any:
    """Log-probabilities of what comes after each token, by llama.cpp, which tells those of what it writes."""
    engine = llamacpp.create(llamacpp.Settings(weights=str(weights), context_length=128, threads=1, **settings))
    rows = []
    try:
        for end in range(1, len(tokens) + 1):
            request = {"prompt": tokens[:end], "max_tokens": 1, "n_probs": 1000, "temperature": 0, "id_slot": 0}
            said = engine.complete(request | {"logit_bias": [[300, 1e5]]})["choices"][0]["logprobs"]["content"][0]
            told = {each["id"]: each["logprob"] for each in said["top_logprobs"]}
            rows.append([told[token] for token in sorted(told)])
    finally:
        engine.close()
    found = np.array(rows)
    return found - np.log(np.exp(found).sum(-1, keepdims=True))  # its own sum is off by 1e-4
