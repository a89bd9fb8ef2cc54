"""Adapters that others trained are taken as they save them, and what is served of them computes what PEFT merges.

Where TRL is installed its trainer makes the folders, else PEFT does, with the files that TRL leaves beside.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_llama

import gatewheel as gw
from gatewheel.kernel.errors import ModelError, UserError
from gatewheel.loop import adding, artifacts, exporting
from gatewheel.loop.project import Project
from gatewheel.models.adapters import CONFIG
from gatewheel.models.dense import Dense, open_dense
from gatewheel.models.exporting import export

pytest.importorskip("torch", reason="the extra train is not installed")
# PEFT 0.21 uses what transformers 5.23 means to rename
pytestmark = pytest.mark.filterwarnings("ignore")
TRL = importlib.util.find_spec("trl") is not None
TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
weights = "WEIGHTS"
[app.main]
use = "direct"
prompt = "answer"
"""
TEXTS = [{"text": text} for text in tiny_llama.TEXTS * 4]
FORMS: dict[str, dict[str, Any]] = {
    "all": {"target_modules": "all-linear"},
    "expression": {"target_modules": r".*\.(q_proj|down_proj)"},
    "rslora": {"target_modules": ["q_proj", "v_proj"], "use_rslora": True},
    "dora": {"target_modules": ["o_proj", "up_proj"], "use_dora": True},
    "patterns": {
        "target_modules": ["q_proj", "up_proj", "o_proj"],
        "rank_pattern": {"q_proj": 2, "model.layers.1.mlp.up_proj": 3},
        "alpha_pattern": {"up_proj": 5},
    },
    "one layer": {"target_modules": ["q_proj"], "layers_to_transform": [1]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Dense:
    return open_dense(tiny_llama.folder(tmp_path_factory.mktemp("base") / "model"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, base: Dense) -> Iterator[Project]:
    """A project whose model is a GGUF file of the same weights."""
    home = tmp_path_factory.mktemp("home")
    export(base, home / "base.gguf", kind="F32")
    gw.init(home).close()
    (home / "gatewheel.toml").write_text(TOML.replace("WEIGHTS", str(home / "base.gguf")), encoding="utf-8")
    with gw.open(home) as opened:
        yield opened


def trained(base: Dense, folder: Path, form: dict[str, Any]) -> dict[str, Any]:
    """Writes an adapter that learned for a few steps, and gives the weights that PEFT merges it into."""
    peft = pytest.importorskip("peft", reason="the extra train is not installed")
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = peft.LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM", **form)
    model = AutoModelForCausalLM.from_pretrained(str(base.path), dtype="float32")
    tuned = (_by_trl if TRL else _by_peft)(model, config, base.path, folder)
    found: dict[str, Any] = tuned.merge_and_unload().state_dict()
    return found


def _by_trl(model: Any, config: Any, base: Path, folder: Path) -> Any:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    said = SFTConfig(
        output_dir=str(folder), max_steps=3, learning_rate=5e-2, report_to=[], use_cpu=True, bf16=False,
        per_device_train_batch_size=4, gradient_checkpointing=False, save_steps=3, disable_tqdm=True,
    )  # fmt: skip
    data = Dataset.from_list(TEXTS)
    trainer = SFTTrainer(
        model=model, args=said, train_dataset=data, peft_config=config, processing_class=_tokenizer(base)
    )
    trainer.train()
    trainer.save_model(str(folder))
    return trainer.model


def _by_peft(model: Any, config: Any, base: Path, folder: Path) -> Any:
    peft = pytest.importorskip("peft", reason="the extra train is not installed")
    import torch

    tuned, tokenizer = peft.get_peft_model(model, config), _tokenizer(base)
    learned = [each for each in tuned.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=5e-2)
    for row in TEXTS[:3]:
        tokens = torch.tensor([tokenizer(row["text"])["input_ids"]])
        tuned(input_ids=tokens, labels=tokens).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    tuned.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "training_args.bin").write_bytes(b"a pickle, which is not read")
    return tuned


def _tokenizer(base: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    file = str(base / "tokenizer.json")
    return PreTrainedTokenizerFast(tokenizer_file=file, eos_token="<|end|>", pad_token="<|end|>")


@pytest.mark.parametrize("name", FORMS)
def test_what_trl_saved_is_served_as_peft_merges_it(project: Project, base: Dense, tmp_path: Path, name: str) -> None:
    theirs = trained(base, tmp_path / "theirs", FORMS[name])
    adapter = adding.adopt(project.parts, tmp_path / "theirs")
    assert (adapter.meta["method"], adapter.meta["trained_on"]) == ("given", str(base.path))
    file = exporting.gguf_of(project.parts, adapter, kind="F32")
    served = open_dense(artifacts.path(project.parts.objects, file))
    tokens = np.random.default_rng(5).integers(0, base.shape.vocab, 40).tolist()
    wanted = tiny_llama.logprobs(_Given(base, theirs), tokens)
    ours = tiny_llama.logprobs(served, tokens)
    assert (np.exp(wanted) * (wanted - ours)).sum(-1).max() < 1e-6
    assert np.abs(wanted - tiny_llama.logprobs(base, tokens)).max() > 0.1, "it learned something"
    variant = adding.add(project.parts, adapter.id)
    made = adding.file_of(project.parts, variant)
    assert made.meta["perplexity"]["of"] == "Gatewheel's documentation"
    if FORMS[name].get("use_dora"):
        with pytest.raises(UserError, match="adds no adapter of DoRA"):
            adding.add(project.parts, adapter.id, kind="lora")
    else:
        beside = adding.add(project.parts, adapter.id, kind="lora")
        assert adding.file_of(project.parts, beside).kind == "lora-gguf"


def test_an_adapter_with_whole_modules_besides_is_refused(project: Project, base: Dense, tmp_path: Path) -> None:
    trained(base, tmp_path / "theirs", {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]})
    assert (tmp_path / "theirs" / CONFIG).exists()
    with pytest.raises(ModelError, match="has whole trained modules besides low-rank pairs; train it without"):
        adding.adopt(project.parts, tmp_path / "theirs")


class _Given:
    """Weights that somebody else merged, as tensors of torch."""

    def __init__(self, base: Dense, tensors: dict[str, Any]) -> None:
        self.path, self.shape, self._base, self._tensors = base.path, base.shape, base, tensors

    def names(self) -> tuple[str, ...]:
        return self._base.names()

    def read(self, name: str) -> Any:
        return self._tensors[name].detach().float().numpy()
