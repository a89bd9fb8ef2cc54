"""`finetune --from`: a tuning goes on from an adapter of the project or of others, and says so ever after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
from sqlalchemy import insert

import gatewheel as gw
from gatewheel.kernel import runs
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.learning import taints
from gatewheel.loop import adding, artifacts, beginning, came_of, kin, made_of, tainting, tuning
from gatewheel.models import adapters
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export
from stopping import called, the_run, told

pytest.importorskip("torch", reason="the extra train is not installed")

TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
weights = "WEIGHTS"
[model.other]
use = "llama.cpp"
weights = "OTHER"
[app.main]
use = "direct"
prompt = "answer"
[finetune.lora]
rank = 4
alpha = 16
steps = 3
validation = 0.25
samples = 0
threads = 1
"""
BEGIN = ("finetune", "lora", "--data", "lamps-train", "--from")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a tiny model, cases to learn, and an adapter of rank 4 that PEFT might have left."""
    made = tmp_path_factory.mktemp("home")
    folder = tiny_llama.folder(made / "base")
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "chat_template": template}))
    dense = open_dense(folder)
    export(dense, made / "base.gguf", kind="F32")
    adapters.write(tiny_llama.adapter(dense.shape), made / "theirs")
    adapters.write(tiny_llama.adapter(dense.shape, only="q_proj"), made / "narrow")
    gw.init(made).close()
    (made / "other.gguf").write_bytes((made / "base.gguf").read_bytes() + b"\0")  # other weights of the same shape
    toml = TOML.replace("WEIGHTS", str(made / "base.gguf")).replace("OTHER", str(made / "other.gguf"))
    (made / CONFIG_FILE).write_text(toml)
    rows = [{"question": f"lamp {number}?", "references": ["lit"]} for number in range(8)]
    (made / "suites" / "lamps-train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (made / "suites" / "lamps-train.toml").write_text('metrics = ["exact-match"]\nsplit = "train"\n')
    return made


@pytest.fixture(scope="module")
def made(home: Path) -> dict[str, Any]:
    """What came of a tuning that went on from the folder."""
    found: dict[str, Any] = called(home, *BEGIN, str(home / "theirs"))
    return found


def test_it_goes_on_from_a_folder_and_its_lineage_names_it(home: Path, made: dict[str, Any]) -> None:
    with gw.open(home) as project:
        parts = project.parts
        child = artifacts.get(parts.engine, made["adapter"])
        parent = artifacts.get(parts.engine, child.meta["adapter"])
        assert (parent.meta["method"], parent.run) == ("given", "")
        here = kin.at(parts, most=0)
        up = {(fan.kind, step.to.id) for fan in made_of.of_artifact(here, child.id) for step in fan.steps}
        assert {("artifact", parent.id), ("run", child.run)} <= up
        down = {(fan.kind, step.to.id) for fan in came_of.of_artifact(here, parent.id) for step in fan.steps}
        assert down == {("artifact", child.id)}
    rows = {row["id"]: row for row in called(home, "models", "adapters")["adapters"]}
    assert rows[parent.id]["files"] == [], "what goes on from it is no file of it"


def test_where_nothing_got_better_the_adapter_is_still_the_own_one_of_its_run(home: Path, made: dict[str, Any]) -> None:
    spoiling = ("--set", "learning_rate=1", "--set", "steps=1")
    worse = called(home, *BEGIN, made["run"], *spoiling)
    assert worse["tuned"]["best_step"] == 0, "or it proves nothing"
    run = the_run(home).id
    assert worse["run"] == run != made["run"]
    with gw.open(home) as project:
        found = adding.adapter_named(project.parts, run)
        assert (found.id, found.meta["adapter"]) == (worse["adapter"], made["adapter"])
        again = runs.create(project.parts.engine, "finetune", settings={}, config={})
        runs.end(project.parts.engine, again, "done", result={"adapter": found.id})
        assert adding.adapter_named(project.parts, again).id == found.id, "whoever learns just that again has it too"


def test_one_folder_is_an_adapter_of_each_base_that_it_is_given_for(home: Path, made: dict[str, Any]) -> None:
    of_main = made["adapter"]
    with gw.open(home) as project:
        wanted = tuning.Wanted(data="lamps-train", base="other")
        found = beginning.wanted_from(project.parts, wanted, str(home / "theirs"))
        tuning.refuse_unknown(project.parts, found)
        adapter = artifacts.get(project.parts.engine, found.begins)
        assert adapter.meta["base"]["weights"] == str(home / "other.gguf")
        assert found.begins != artifacts.get(project.parts.engine, of_main).meta["adapter"]


def test_a_folder_is_kept_only_for_a_tuning_that_begins(home: Path) -> None:
    narrow = str(home / "narrow")
    with gw.open(home) as project:
        before = artifacts.of(project.parts.engine)
        fits = tuning.Wanted(data="lamps-train", changes={"targets": ["q_proj"]})
        for refused in (replace(fits, validation="nobody"), replace(fits, changes={})):
            with pytest.raises(UserError, match=r"nobody|has pairs of rank 4 for q_proj"):
                beginning.wanted_from(project.parts, refused, narrow)
        assert artifacts.of(project.parts.engine) == before
    assert called(home, *BEGIN, narrow, "--set", "targets=['q_proj']", "--dry-run")["preflight"]["fits"]
    with gw.open(home) as project:
        assert artifacts.of(project.parts.engine) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("theirs", "--set", "rank=8"), "has pairs of rank 4 for q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj"),
        (("theirs", "--set", "dora=true"), "--set rank=4 --set dora=false"),
        (("narrow",), "--set rank=4 --set dora=false --set 'targets=[\"q_proj\"]'"),
        (("nowhere",), "no artifact"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_at_once_with_the_cure(
    home: Path, words: tuple[str, ...], said: str
) -> None:
    named = str(home / words[0]) if (home / words[0]).exists() else words[0]
    code, out, err = told(home, *BEGIN, named, *words[1:])
    assert (code, out) == (1, "")
    assert said in err


def test_what_goes_on_from_what_was_forgotten_is_tainted_and_neither_is_gone_on_from(
    home: Path, made: dict[str, Any]
) -> None:
    with gw.open(home) as project:
        parts = project.parts
        parent = artifacts.get(parts.engine, made["adapter"]).meta["adapter"]
        wanted = tuning.Wanted(data="lamps-train", begins=made["adapter"])
        tuning.refuse_unknown(parts, wanted)
        base, weights = home / "base.gguf", (home / "base.gguf").read_bytes()
        base.write_bytes(weights + b"\0")
        with pytest.raises(UserError, match=r"was trained on .*base\.gguf \("):
            tuning.refuse_unknown(parts, wanted)
        base.write_bytes(weights)
        with parts.engine.begin() as connection:
            row = {"kind": "artifact", "ref": parent, "reason": "document a.md was forgotten", "created": 0.0}
            connection.execute(insert(taints).values(**row))
        assert tainting.read(parts.engine).of_artifact(made["adapter"]) == ("document a.md was forgotten",)
        for one in (parent, made["adapter"]):
            named = beginning.wanted_from(parts, tuning.Wanted(data="lamps-train"), one[:12])
            with pytest.raises(UserError, match="learned of what was forgotten since"):
                tuning.tune(parts, named, run="r")
