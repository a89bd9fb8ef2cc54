"""A whole turn of the wheel from what people said, killed on the way: it ends as if it had not been."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Trace
from gatewheel.kernel.store.learning import taints
from gatewheel.kernel.trace import keep
from gatewheel.loop import artifacts, improving, pedigree, releasing, tuning
from gatewheel.loop.improving import Wanted
from gatewheel.loop.listen import OWNER, give
from gatewheel.loop.notebook import Notebook
from gatewheel.ops import releases
from letters import SAID, THINGS, written
from stopping import called, start, the_run, told

pytest.importorskip("torch", reason="the extra train is not installed")

SPOKEN = Trace(
    id="a" * 32,
    created=1.0,
    kind="ask",
    question="Where is it?",
    answer="There.",
    abstained=False,
    variant="c0de" * 16,
    seconds=1.0,
    input_tokens=1,
    output_tokens=1,
)
SHORT = ("--set", "steps=8", "--budget", "20m")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose application was asked, and corrected by people."""
    written(tmp_path, train=False)
    with gw.open(tmp_path) as project:
        for thing in THINGS[:6]:
            for intent, said in SAID.items():
                answer = project.ask(said.format(thing))
                give(project.parts, str(answer.trace), caller=OWNER, thumb="down", correction=intent)
    return tmp_path


def test_killed_on_the_way_a_turn_ends_with_a_proposal(home: Path) -> None:
    watcher = start(home, "improve", *SHORT)
    _reached(home, "2/5 tune: lora of main, learning")
    os.kill(the_run(home).process or 0, signal.SIGKILL)
    watcher.communicate(timeout=60)
    run = the_run(home)
    resumed = called(home, "runs", "resume", run.id)
    made = improving.of_result(resumed["result"])
    assert (made.harvested, made.examples, made.outcome) == (12, 10, "promote"), made.reasons
    with gw.open(home) as project:
        row = releases.history(project.parts.engine)[-1]
        assert {one.app for one in project.traces()} == {"main"}
    assert (row.number, row.action, row.variant) == (made.proposed, "propose", made.variant)
    called(home, "release", "promote", made.variant)
    code, out, _ = told(home, "improve", *SHORT, "--json")
    assert made.adapter in out  # nothing new was said, so nothing is learned twice
    assert code != 0  # and what answers already is no better than itself


def test_without_a_gate_or_anything_to_learn_it_says_so(tmp_path: Path) -> None:
    with gw.open(written(tmp_path, train=False)) as project:
        with pytest.raises(ConfigError, match=r"no gate guards \[app.elsewhere\]|runs elsewhere"):
            improving.settled(project.parts, Wanted(app="elsewhere"))
        settled = improving.settled(project.parts, Wanted())
        assert (settled.gate, settled.data) == ("main", "letters-train")
        keep(project.parts.engine, replace(SPOKEN, app="elsewhere"))
        project.give_feedback(SPOKEN.id, correction="delivery")  # and that teaches another application
        with pytest.raises(UserError, match="nobody corrected"):
            improving.improve(project.parts, Wanted(), run="")


def test_an_adapter_is_taken_again_only_where_it_learned_all_of_the_same_on_the_same_weights(tmp_path: Path) -> None:
    weights = tmp_path / "base.gguf"
    weights.write_bytes(b"these weights")
    with gw.open(written(tmp_path)) as project:
        parts = project.parts
        wanted = tuning.Wanted(data="letters-train", changes={"steps": 3})
        lesson = replace(tuning.lesson_of(parts, wanted, say=print), said=str(weights), path=weights)

        def kept(stopped: str, **more: Any) -> str:
            meta = {**pedigree.of(lesson, app="main"), "tuned": {"stopped": stopped}, **more}
            file = tmp_path / "adapter"
            file.write_text(f"{stopped} {more}")
            return artifacts.keep(parts.engine, parts.objects, file, kind="adapter", run="r", meta=meta).id

        before = {"adapter": kept("asked")}
        for stopped, more in (("asked", {}), ("done", {"method": "qlora"}), ("done", before), ("done", {"app": "b"})):
            kept(stopped, **more)
            assert improving.learned(parts, "main", lesson) is None, (stopped, more)
        whole = kept("early")
        found = improving.learned(parts, "main", lesson)
        assert found is not None
        assert found.id == whole
        one, *rest = lesson.examples
        assert improving.learned(parts, "main", replace(lesson, examples=(*rest, one))) is None, "in other words"
        weights.write_bytes(b"other weights by that name")
        assert improving.learned(parts, "main", lesson) is None, "it was trained on what is no more"
        weights.write_bytes(b"these weights")
        assert improving.learned(parts, "main", lesson) is not None
        with parts.engine.begin() as connection:
            row = {"kind": "artifact", "ref": whole, "reason": "document a.md was forgotten", "created": 0.0}
            connection.execute(insert(taints).values(**row))
        assert improving.learned(parts, "main", lesson) is None, "nothing of it may be released"
    tainted = {row["id"]: row["tainted"] for row in called(tmp_path, "models", "adapters")["adapters"]}
    assert {id_: why for id_, why in tainted.items() if why} == {whole: ["document a.md was forgotten"]}
    assert "tainted: document a.md was forgotten" in told(tmp_path, "models", "adapters")[1]


def test_killed_between_the_proposal_and_its_note_it_proposes_once(tmp_path: Path) -> None:
    with gw.open(written(tmp_path)) as project:
        parts, state = project.parts, project.config.state
        with releasing.as_filed(parts) as served:
            variant = served.keep_variant("main").id
        notes = Notebook(state, "r", "steps")
        notes.keep("harvest", {"added": 0})
        notes.keep("tune", {"adapter": "a", "dataset": "d", "examples": 1})
        notes.keep("export", {"variant": variant})
        notes.keep("gate", {"outcome": "promote", "reasons": [], "reports": []})
        path = runs.folder(state, "r") / "steps.jsonl"
        until = path.read_bytes()
        first = improving.improve(parts, Wanted(), run="r").proposed
        path.write_bytes(until)  # as the kill left it
        assert improving.improve(parts, Wanted(), run="r").proposed == first
        path.write_bytes(until)
        releases.promote(parts.engine, "main", variant, gates={}, override="it was looked at")
        assert improving.improve(parts, Wanted(), run="r").proposed == first
        assert [row.action for row in releases.history(parts.engine)] == ["propose", "promote"]


def _reached(home: Path, target: str) -> None:
    with gw.open(home) as project:  # once: each look would cost 20 ms of what it waits for
        engine = project.parts.engine
        eventually(lambda: any(run.progress.get("target") == target for run in runs.recent(engine)[:1]), seconds=240)
