"""A turn of the wheel with the real model: tuned on cases, exported, evaluated as it is served, gated, released."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.kernel.errors import ConfigError, GatewheelError, UserError
from gatewheel.kernel.store import learning
from gatewheel.loop import adding, artifacts, ending, exporting, tuning, variants
from gatewheel.loop.ask import ask
from gatewheel.loop.releasing import as_variant
from gatewheel.loop.tuning import Wanted
from gatewheel.ops import releases
from gatewheel.rag.question import Question
from letters import written
from stopping import called, start, the_run

pytest.importorskip("torch", reason="the extra train is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A project whose application was tuned, and what the command said."""
    home = written(tmp_path_factory.mktemp("tuned"))
    return home, called(home, "finetune", "lora", "--data", "letters-train")


def test_what_was_tuned_is_served_measured_gated_and_released(tuned: tuple[Path, dict[str, Any]]) -> None:
    home, made = tuned
    assert (made["examples"], made["without"], made["app"]) == (12, 0, "main")
    first, best, _ = made["tuned"]["validation"]
    assert best < first / 2
    added = called(home, "variants", "add", made["run"])
    variant, cost = added["id"], added["file"]["perplexity"]
    assert (added["file"]["kind"], cost["of"]) == ("Q8_0", f"validation examples of dataset {made['dataset'][:12]}")
    assert cost["tokens"] > 40
    assert abs(cost["difference"]) < 0.1
    [listed] = called(home, "models", "adapters")["adapters"]
    assert listed["files"] == [added["file"]]
    decided = called(home, "gate", variant)
    assert decided["outcome"] == "promote", decided["reasons"]
    report = called(home, "evals", "run", "letters", "--variant", variant)["reports"][0]
    assert report["report"]["variant"] == variant
    assert report["metrics"][0]["value"] >= 0.9
    called(home, "release", "promote", variant)
    with gw.open(home) as project:
        assert releases.current(project.parts.engine, "main") == variant
        parts = as_variant(project.parts, "main", variants.get(project.parts.engine, variant))
        recipe = parts.variant("main").recipe["model"]
        assert (recipe["use"], recipe["weights"]) == ("llama.cpp", f"object:{recipe['weights_sha256']}")
        assert ask(parts, Question(text="Where is my garden gnome?")).answer == "delivery"


def test_an_adapter_beside_its_base_answers_too_and_comes_back_as_the_same(
    tuned: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, made = tuned
    variant = called(home, "variants", "add", made["adapter"][:12], "--kind", "lora")["id"]
    report = called(home, "evals", "run", "letters", "--variant", variant, "--limit", "4")["reports"][0]
    assert report["metrics"][0]["value"] == 1.0
    alone = called(home, "models", "export", made["run"], "--kind", "lora", "--to", str(tmp_path / "peft"))
    assert alone["perplexity"] == {"difference": 0.0, "margin": 0.0, "tokens": 0, "of": "the same weights"}
    again = called(home, "models", "import", str(tmp_path / "peft"))
    assert again["id"] == made["adapter"]
    assert again["run"] == made["run"]


def test_killed_it_goes_on_and_makes_the_same_adapter(home: Path, tuned: tuple[Path, dict[str, Any]]) -> None:
    watcher = start(home, "finetune", "lora", "--data", "letters-train")
    _reached(home, 5)
    os.kill(the_run(home).process or 0, signal.SIGKILL)
    watcher.communicate(timeout=60)
    run = the_run(home)
    assert run.state != "done"
    resumed = called(home, "runs", "resume", run.id)
    assert resumed["result"]["adapter"] == tuned[1]["adapter"]


def test_stopped_and_kept_it_gives_the_best_so_far(home: Path) -> None:
    watcher = start(home, "finetune", "lora", "--data", "letters-train", "--set", "steps=400")
    _reached(home, 2)
    kept = called(home, "runs", "keep", the_run(home).id)
    assert (kept["kind"], kept["state"]) == ("finetune", "running")
    watcher.communicate(timeout=120)
    run = the_run(home)
    assert (run.state, run.result["tuned"]["stopped"]) == ("done", "asked")
    with gw.open(home) as project:
        assert artifacts.get(project.parts.engine, run.result["adapter"]).run == run.id
        with pytest.raises(UserError, match="a tuning that is done") as refused:
            ending.stop_and_keep(project.parts, run.id)
        assert run.result["adapter"][:12] in refused.value.cure
        other = runs.create(project.parts.engine, "ingest", settings={}, config={})
        with pytest.raises(UserError, match=f"run {other} is no tuning but of the kind ingest"):
            ending.stop_and_keep(project.parts, other)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(data="nothing"), "nothing"),
        (Wanted(data="letters"), "held out"),
        (Wanted(data="letters-train", app="elsewhere"), "runs elsewhere"),
        (Wanted(data="letters-train", app="none"), r"no \[app.none\]"),
        (Wanted(data="letters-train", table="dpo"), r"no \[finetune.dpo\]"),
        (Wanted(data="letters-train", changes={"rank": 0}), "rank"),
        (Wanted(data="letters-train", changes={"ranks": 8}), "ranks: is not a setting"),
    ],
)
def test_what_cannot_be_tuned_says_why_before_anything_is_loaded(home: Path, wanted: Wanted, said: str) -> None:
    with gw.open(home) as project, pytest.raises((UserError, ConfigError), match=said):
        tuning.refuse_unknown(project.parts, wanted)
        tuning.lesson_of(project.parts, wanted, say=lambda _: None)


def test_forgotten_data_is_not_learned(home: Path) -> None:
    with gw.open(home) as project:
        lesson = tuning.lesson_of(project.parts, Wanted(data="letters-train"), say=lambda _: None)
        row = {"kind": "dataset", "ref": lesson.dataset.id, "reason": "document a.md was forgotten", "created": 0.0}
        with project.parts.engine.begin() as connection:
            connection.execute(insert(learning.taints), [row])
        with pytest.raises(UserError, match=r"a\.md was forgotten"):
            tuning.lesson_of(project.parts, Wanted(data="letters-train"), say=lambda _: None)


def test_other_weights_than_those_that_were_tuned_are_refused(tuned: tuple[Path, dict[str, Any]]) -> None:
    home, made = tuned
    with gw.open(home) as project:
        found = adding.adapter_named(project.parts, made["run"])
        other = artifacts.Artifact(
            **{
                **{key: getattr(found, key) for key in ("id", "kind", "created", "run", "bytes")},
                "meta": {**found.meta, "base": {**found.meta["base"], "sha256": "0" * 64}},
            }
        )
        with pytest.raises(GatewheelError, match="was trained on 000000000000"):
            exporting.base_of(project.parts, other)


def _reached(home: Path, step: int) -> None:
    with gw.open(home) as project:  # once: each look would cost 20 ms of what it waits for
        engine = project.parts.engine
        eventually(lambda: any(run.progress.get("done", 0) >= step for run in runs.recent(engine)[:1]), seconds=120)
