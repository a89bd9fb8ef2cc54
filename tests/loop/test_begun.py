"""A tuning that is resumed goes on with what it began with; before its first step there is nothing to keep."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

import gatewheel as gw
import letters
import tuning as tiny
from gatewheel.kernel import runs
from gatewheel.kernel.errors import Cancelled, ConfigError, MissingPart, UserError
from gatewheel.kernel.settings import ScaleSettings
from gatewheel.kernel.store import learning
from gatewheel.loop import (
    artifacts,
    begun,
    courses,
    ending,
    fitting,
    foreseeing,
    forgetting,
    forgotten,
    improving,
    remains,
    tuning,
)
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook
from stopping import called

pytest.importorskip("torch", reason="the extra train is not installed")

CHANGES = {"steps": 3, "threads": 1, "evaluate_every": 1}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose application has a model of a few thousand weights."""
    home, base = letters.written(tmp_path / "letters"), tiny.write(tmp_path / "base")
    model = f'[model.tiny]\nuse = "hf"\nweights = "{base}"\n'
    said = letters.TOML.replace("max_tokens = 12", 'max_tokens = 12\nmodel = "tiny"', 1)
    (home / "gatewheel.toml").write_text(said + model)
    return home


def interrupted(parts: Parts, kind: str = "finetune", **settings: Any) -> str:
    """A run that was ended after its first step."""

    def end(now: Any) -> None:
        if now.done == 1:
            raise Cancelled("enough")

    run = runs.create(parts.engine, kind, settings=settings, config={})
    with pytest.raises(KeyboardInterrupt):
        tuning.tune(
            parts, tuning.Wanted(data="letters-train", changes=CHANGES), run=run, on_progress=end, foreseen=True
        )
    return run


def killed(parts: Parts) -> str:
    """An interrupted run that was to be kept; the suite holds one case more since, and the prompt is another."""
    run = interrupted(parts)
    (parts.config.root / "prompts" / "sort.md").write_text("---\nsystem: Put the letter away.\n---\n{{ question }}")
    with (parts.config.root / "suites" / "letters-train.jsonl").open("a") as suite:
        suite.write(json.dumps({"question": "Where is it, at last?", "references": ["delivery"]}) + "\n")
    (runs.folder(parts.config.state, run) / ending.KEEP).touch()
    return run


def test_resumed_it_goes_on_with_the_cases_and_steps_that_it_began_with(home: Path) -> None:
    with gw.open(home) as project:
        run = killed(project.parts)
        lesson = runs.folder(project.parts.config.state, run) / "lesson.json"
        assert "Where is my kettle?" in lesson.read_text()
    toml = home / "gatewheel.toml"
    toml.write_text(toml.read_text().replace("rank = 4", "rank = 2"))
    with gw.open(home) as project:
        parts = project.parts
        made = tuning.tune(parts, tuning.Wanted(data="letters-train", changes={**CHANGES, "steps": 9}), run=run)
        assert (made.examples, made.tuned["steps"], made.tuned["stopped"]) == (12, 3, "done")
        meta = artifacts.get(parts.engine, made.adapter).meta
        assert (meta["settings"]["rank"], meta["shown"], lesson.exists()) == (4, [], False)
        assert (meta["dataset"], "samples" in meta["tuned"], bool(made.tuned["samples"])) == (made.dataset, False, True)


def test_a_lesson_is_read_again_as_it_was_kept(home: Path) -> None:
    with gw.open(home) as project:
        parts = project.parts
        run = runs.create(parts.engine, "finetune", settings={}, config={})
        lesson = tuning.lesson_of(parts, tuning.Wanted(data="letters-train", changes=CHANGES), say=lambda _: None)
        lesson = replace(lesson, shown=("docs/a.md", "docs/b.md"), reasons={"why": 1}, without=1)
        begun.keep(parts, run, lesson)
        assert tuning.Lesson(**begun.kept(parts, run)) == lesson
        notes = Notebook(parts.config.state, run, "steps")
        assert notes["begun"]["shown"] == ["docs/a.md", "docs/b.md"]
        file = runs.folder(parts.config.state, run) / "lesson.json"
        file.write_text(file.read_text().replace('"use"', '"used"'))
        with pytest.raises(UserError, match=rf"lesson.json does not say what run {run} began with .*; delete it"):
            begun.kept(parts, run)
        file.unlink()
        begun.keep(parts, run, replace(lesson, shown=("docs/c.md",)))
        found = begun.learned_from(parts.config.state, (), shown=lambda one: one == "docs/a.md")
        assert list(found) == [run], "what it was shown before is still what it was shown"
        begun.done(parts, run)
        assert begun.kept(parts, run) == {}


def test_a_turn_finds_once_how_many_steps_there_is_time_for(home: Path) -> None:
    with gw.open(home) as project:
        run = killed(project.parts)
        wanted = improving.Wanted(data="letters-train", budget=0.0, changes=CHANGES)
        assert begun.has(project.parts, run)
        assert improving._tune(project.parts, wanted, run, lambda _: None)["examples"] == 10


def test_what_an_interrupted_one_has_of_what_is_forgotten_goes_and_it_cannot_go_on(home: Path) -> None:
    with (home / "suites" / "letters-train.jsonl").open("a") as suite:
        suite.write(json.dumps({"question": "And it?", "references": ["refund"], "sources": ["of-ada.txt"]}) + "\n")
    with gw.open(home) as project:
        parts = project.parts
        ids = [interrupted(parts), interrupted(parts, "improve", app="elsewhere")]
        for id_ in ids:
            runs.change(parts.engine, id_, progress={"point": {"samples": [{"prompt": "And it?"}]}})
        wanted = forgotten.asked_for(parts, document="of-ada.txt")
        looked = forgotten.look(parts, wanted).found
        assert ([one.id for one in looked.runs], looked.artifacts) == (sorted(ids), ())
        folders = [runs.folder(parts.config.state, id_) for id_ in ids]
        assert all((folder / "tuning" / "checkpoint.safetensors").exists() for folder in folders)
        assert [one.id for one in forgetting.forget(parts, wanted).found.runs] == sorted(ids)
        assert [[path.name for path in folder.iterdir()] for folder in folders] == [["steps.jsonl"]] * 2
        assert "And it?" not in str(runs.recent(parts.engine))
        assert forgetting.forget(parts, wanted).found.runs == ()
        what = r"cannot go on: it learned of dataset \w{12}, .* document of-ada.txt was forgotten"
        with pytest.raises(UserError, match=rf"{what}; .*gatewheel finetune lora --data letters-train --app main"):
            tuning.tune(parts, tuning.Wanted(data="letters-train", changes=CHANGES), run=ids[0])
        with pytest.raises(UserError, match=rf"{what}; .*gatewheel improve --app elsewhere"):
            improving.improve(parts, improving.Wanted(app="elsewhere"), run=ids[1])


def test_what_a_forgetting_of_a_former_version_left_is_found_by_the_same_again(home: Path) -> None:
    with gw.open(home) as project:
        parts = project.parts
        run = interrupted(parts)
        row = {"kind": "dataset", "reason": "document of-ada.txt was forgotten", "created": 1.0}
        dataset = begun.again(parts, run, tuning.Wanted(data="")).data
        with parts.engine.begin() as connection:
            connection.execute(insert(learning.taints), [{**row, "ref": dataset}])
        wanted = remains.Wanted(document="of-ada.txt")
        assert [one.id for one in forgetting.forget(parts, wanted).found.runs] == [run]
        assert not begun.holds(parts.config.state, run)


def test_before_the_first_step_there_is_nothing_to_keep(home: Path) -> None:
    with gw.open(home) as project:
        parts = project.parts
        run = runs.create(parts.engine, "improve", settings={}, config={})
        for step, said in ((None, {}), (0, {"point": {"step": 0}})):
            runs.change(parts.engine, run, state="running", progress={"step": "tune", **said})
            with pytest.raises(UserError, match=r"has not learned a step yet.*wait for the first step, or cancel it"):
                ending.stop_and_keep(parts, run)
            assert not courses.course(parts, run).keeping, step
        runs.change(parts.engine, run, progress={"step": "tune", "point": {"step": 1}})
        ending.stop_and_keep(parts, run)
        assert courses.course(parts, run).keeping
        runs.end(parts.engine, run, "cancelled")
        assert not courses.course(parts, run).keeping


def test_of_the_processes_of_a_cluster_a_look_at_this_machine_says_nothing(home: Path) -> None:
    with pytest.raises(ConfigError, match="shard = true divides the base among processes, and workers = 1 is one"):
        fitting.untold(ScaleSettings(shard=True, workers=1))
    assert fitting.untold(ScaleSettings(workers=2)) == ""
    assert "divide the base" in fitting.untold(ScaleSettings(shard=True, workers=2))
    with (home / "gatewheel.toml").open("a") as file:
        file.write('[scale]\ntrain = "ray"\n')
    seen = foreseeing.ask(home, tuning.Wanted(data="letters-train", changes=CHANGES))
    assert (seen.fits, seen.examples, seen.steps, seen.memory, seen.told) == (True, 12, 3, 0, "")
    assert "Ray cluster" in seen.untold
    told = called(home, "finetune", "--data", "letters-train", "--dry-run")
    assert (told["preflight"], told["untold"]) == ({}, seen.untold)
    if importlib.util.find_spec("ray") is None:
        with gw.open(home) as project, pytest.raises(MissingPart, match="needs Ray"):  # whatever time there is
            wanted = improving.Wanted(data="letters-train", budget=0.0, changes=CHANGES)
            improving._tune(project.parts, wanted, "one", lambda _: None)
