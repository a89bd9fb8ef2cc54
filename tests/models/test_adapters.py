"""Adapters go to PEFT and come from it without a difference, and what is more than a LoRA adapter is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.models import safetensors
from gatewheel.models.adapters import CONFIG, WEIGHTS, Adapter, read, write
from gatewheel.models.dense import Dense, open_dense
from gatewheel.models.lora_gguf import refuse_unfit, write_lora_gguf
from gatewheel.models.merging import Merged

# PEFT 0.21 uses what transformers 5.23 means to rename
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
FORMS: list[dict[str, Any]] = [{}, {"rslora": True}, {"dora": True}, {"only": "up", "rank": 2}]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dense:
    return open_dense(tiny_llama.folder(tmp_path_factory.mktemp("tiny") / "model"))


def assert_same(one: Adapter, two: Adapter) -> None:
    assert (one.rank, one.alpha, one.rslora, one.base) == (two.rank, two.alpha, two.rslora, two.base)
    assert one.pairs.keys() == two.pairs.keys()
    assert one.magnitudes.keys() == two.magnitudes.keys()
    for module, pair in one.pairs.items():
        assert all(np.array_equal(a, b) for a, b in zip(pair, two.pairs[module], strict=True))
    for module, magnitude in one.magnitudes.items():
        assert np.array_equal(magnitude, two.magnitudes[module])


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_and_its_one_file_are_the_same_adapter(tiny: Dense, tmp_path: Path, form: dict[str, Any]) -> None:
    adapter = tiny_llama.adapter(tiny.shape, **form)
    file = write(adapter, tmp_path / "a")
    file.rename(tmp_path / "0123abcd")  # as an object, without a name that tells what it is
    assert_same(read(tmp_path / "0123abcd"), adapter)
    assert_same(read(write(adapter, tmp_path / "b").parent), adapter)
    assert (tmp_path / "b" / WEIGHTS).read_bytes() == (tmp_path / "0123abcd").read_bytes()


def test_an_adapter_says_what_it_is(tiny: Dense) -> None:
    adapter = tiny_llama.adapter(tiny.shape, only="self_attn")
    assert (adapter.scale, adapter.dora, adapter.targets) == (2.0, False, ("q_proj", "k_proj", "v_proj", "o_proj"))
    assert tiny_llama.adapter(tiny.shape, rslora=True, dora=True).scale == 4.0
    assert tiny_llama.adapter(tiny.shape, dora=True).dora


def uneven(adapter: Adapter) -> Adapter:
    """The same with pairs of another rank in one layer, and none for one of its linears."""
    pairs = dict(adapter.pairs)
    for module in list(pairs):
        if module.startswith("model.layers.1.mlp"):
            a, b = pairs[module]
            pairs[module] = (a[:2].copy(), b[:, :2].copy())
    del pairs["model.layers.1.mlp.up_proj"]
    return replace(adapter, pairs=pairs)


@pytest.mark.train
@pytest.mark.parametrize("form", [*FORMS, {"rslora": True, "uneven": True}, {"uneven": True}])
def test_peft_computes_from_our_folder_what_is_merged(tiny: Dense, tmp_path: Path, form: dict[str, Any]) -> None:
    peft = pytest.importorskip("peft", reason="part of the extra gatewheel[train]")
    torch = pytest.importorskip("torch", reason="part of the extra gatewheel[train]")
    adapter = tiny_llama.adapter(tiny.shape, **{key: value for key, value in form.items() if key != "uneven"})
    adapter = uneven(adapter) if form.get("uneven") else adapter
    write(adapter, tmp_path / "a")
    model = peft.PeftModel.from_pretrained(_model(tiny), str(tmp_path / "a"))
    tokens = list(range(40, 60))
    with torch.inference_mode():
        theirs = model(torch.tensor([tokens])).logits[0].double().log_softmax(-1).numpy()
    ours = tiny_llama.logprobs(Merged(tiny, adapter), tokens)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert np.abs(ours - tiny_llama.logprobs(tiny, tokens)).max() > 0.1


PEFT_FORMS: list[dict[str, Any]] = [
    {"target_modules": "all-linear"},
    {"target_modules": ["q_proj", "down_proj"], "use_rslora": True},
    {"target_modules": ["v_proj", "gate_proj"], "use_dora": True},
    {"target_modules": ["q_proj", "k_proj"], "layers_to_transform": [1]},
    {
        "target_modules": ["q_proj", "up_proj", "o_proj"],
        "rank_pattern": {"q_proj": 2, "model.layers.1.mlp.up_proj": 3},
        "alpha_pattern": {"up_proj": 5, "^model.layers.0.self_attn.o_proj": 2},
    },
]


@pytest.mark.train
@pytest.mark.parametrize("form", PEFT_FORMS)
def test_what_peft_saved_merges_as_peft_merges_it(tiny: Dense, tmp_path: Path, form: dict[str, Any]) -> None:
    peft = pytest.importorskip("peft", reason="part of the extra gatewheel[train]")
    torch = pytest.importorskip("torch", reason="part of the extra gatewheel[train]")
    torch.manual_seed(3)
    # init_lora_weights = False draws B too
    config = peft.LoraConfig(r=4, lora_alpha=6, init_lora_weights=False, task_type="CAUSAL_LM", **form)
    model = peft.get_peft_model(_model(tiny), config)
    model.save_pretrained(tmp_path / "theirs")
    adapter = read(tmp_path / "theirs")
    theirs = model.merge_and_unload().state_dict()
    merged = Merged(tiny, adapter)
    for name in tiny.names():
        np.testing.assert_allclose(merged.read(name), theirs[name].numpy(), atol=1e-5, err_msg=name)
    assert_same(read(write(adapter, tmp_path / "ours")), adapter)


def _model(tiny: Dense) -> Any:
    transformers = pytest.importorskip("transformers", reason="part of the extra gatewheel[train]")
    return transformers.AutoModelForCausalLM.from_pretrained(str(tiny.path), dtype="float32").eval()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"peft_type": "IA3"}, "of the kind IA3"),
        ({"modules_to_save": ["lm_head"]}, "has whole trained modules besides"),
        ({"trainable_token_indices": [1]}, "trained token embeddings"),
        ({"bias": "all"}, "bias = 'all'"),
        ({"init_lora_weights": "pissa_niter_4"}, "began as 'pissa_niter_4', which changes the model's own"),
        ({"use_dora": True}, "disagree about use_dora"),
        ({"r": 0}, "has rank 0"),
        ({"lora_alpha": "nan"}, "alpha nan"),
        ({"lora_alpha": None}, "is damaged"),
        ({"r": "16x"}, "is damaged"),
        ({"alpha_pattern": {"(a+)+$": 4}}, r"has the expression \(a\+\)\+\$"),
    ],
)
def test_what_is_more_than_low_rank_pairs_is_refused(
    tiny: Dense, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    write(tiny_llama.adapter(tiny.shape), tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text()) | changed
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match=said):
        read(tmp_path)


def test_tensors_that_are_no_whole_pairs_are_refused(tiny: Dense, tmp_path: Path) -> None:
    adapter = tiny_llama.adapter(tiny.shape, only="q_proj")
    metadata = safetensors.Tensors(write(adapter, tmp_path)).metadata
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    a, b = adapter.pairs["model.layers.0.self_attn.q_proj"]

    def refused(said: str, **tensors: Any) -> None:
        held = {f"{module}.{name}": each for name, each in tensors.items() if each is not None}
        shapes = {name.replace("__", "."): each.shape for name, each in held.items()}
        safetensors.write(tmp_path / WEIGHTS, shapes, held.values(), metadata=metadata)
        with pytest.raises(ModelError, match=said):
            read(tmp_path)

    refused("has half a pair", lora_A__weight=a)
    refused("has no pairs")
    refused("no low-rank pair of a linear", lora_A__weight=a, lora_B__weight=b, lora_embedding_A=a)
    refused(r"has the shapes \(4, 64\) and \(64, 3\)", lora_A__weight=a, lora_B__weight=b[:, :3])
    refused(r"the shapes \(64,\)", lora_A__weight=a[0], lora_B__weight=b)
    refused("not finite.*lower learning rate", lora_A__weight=a, lora_B__weight=np.full_like(b, np.nan))
    with pytest.raises(ModelError, match="not finite"):
        write(replace(adapter, pairs={"model.layers.0.self_attn.q_proj": (a, b * np.inf)}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_missing_is_told(tiny: Dense, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=f"no adapter at .*name a folder with {CONFIG} and {WEIGHTS}"):
        read(tmp_path)
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(MissingPart, match="pickles are not read"):
        read(tmp_path)
    shapes = {"x": (1,)}
    safetensors.write(tmp_path / WEIGHTS, shapes, [np.zeros(1, np.float32)], metadata={})
    with pytest.raises(MissingPart, match="does not say how its pairs are scaled"):
        read(tmp_path)


def test_an_adapter_of_other_weights_is_refused(tiny: Dense, tmp_path: Path) -> None:
    other = open_dense(tiny_llama.folder(tmp_path / "other", intermediate_size=160))
    with pytest.raises(ModelError, match=r"makes \(160, 64\), where the weights have \(96, 64\); .*trained on: tiny"):
        Merged(tiny, tiny_llama.adapter(other.shape))
    deeper = open_dense(tiny_llama.folder(tmp_path / "deeper", num_hidden_layers=3))
    with pytest.raises(ModelError, match="where the weights have nothing"):
        Merged(tiny, tiny_llama.adapter(deeper.shape))


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_adapter_is_refused_or_read_but_never_anything_else(
    tiny: Dense, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    kind = data.draw(st.sampled_from([WEIGHTS, CONFIG, "adapter.gguf"]))
    write(tiny_llama.adapter(tiny.shape, rank=1), folder)
    if kind == "adapter.gguf":
        write_lora_gguf(read(folder), tiny.shape, folder / kind)
    raw = bytearray((folder / kind).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, min(len(raw), 4_000) - 1))] = data.draw(st.integers(0, 255))
    (folder / kind).write_bytes(raw[: data.draw(st.none() | st.integers(0, len(raw)))])
    refused = ""
    try:
        if kind == "adapter.gguf":
            refuse_unfit(folder / kind, folder / kind)
        else:
            Merged(tiny, read(folder))
    except (ModelError, MissingPart) as error:
        refused = error.cure
    assert refused or kind != "adapter.gguf"  # no adapter fits an adapter
