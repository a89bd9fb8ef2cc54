"""What is validated on is not what is learned."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import gatewheel as gw
import tuning as tiny
from gatewheel.data import datasets
from gatewheel.finetune.method import Point
from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop import rounding, tuning, tuning_jobs, validating
from gatewheel.loop.tuning import Wanted
from gatewheel.loop.wording import group_of
from letters import written

ROAD = "When will the parcel with the green garden chair from the shop in the old town be brought to my house"


def case(question: str) -> Case:
    return Case(id=question, question=question, references=("delivery",))


def test_the_same_case_in_both_is_refused_and_one_that_is_near_is_told(tmp_path: Path) -> None:
    learned = [case(f"{ROAD}?"), case("Where is my lamp?")]
    with gw.open(written(tmp_path)) as project:
        with pytest.raises(UserError, match="1 of the 2 validation cases are learned too, such as 'Where is my lamp"):
            validating.apart(project.parts, learned, [case("Where is my tent?"), case("Where is my lamp?")])
        assert validating.apart(project.parts, learned, [case("Where is my tent?")]) == ""
        told = validating.apart(project.parts, learned, [case(f"{ROAD} today?")])
        kin = [replace(one, cluster="a talk") for one in (learned[1], case("Where is my tent?"))]
        talk = validating.apart(project.parts, kin[:1], kin[1:])
    assert told.startswith("1 of the 1 validation cases are nearly the same as cases that are learned")
    assert talk.startswith("1 of the 1 validation cases are of documents or conversations that are learned: ")


@pytest.mark.train
def test_what_is_shown_as_validated_on_was_never_learned(tmp_path: Path) -> None:
    tokens = pytest.importorskip("gatewheel.finetune.tokens", reason="the extra train is not installed")
    home, long = written(tmp_path), "w" * 90
    rows = [
        {"question": f"Turn {turn} of {talk}{long * (turn == 1)}?", "references": ["yes"], "cluster": f"talk {talk}"}
        for talk in range(6)
        for turn in range(3)
    ]
    rows += [{"question": f"Alone {at}{long * (at % 3 == 0)}?", "references": ["no"]} for at in range(12)]
    (home / "suites" / "letters-train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gw.open(home) as project:
        lesson = tuning.lesson_of(project.parts, Wanted(data="letters-train"), say=lambda _: None)
        cases = datasets.load(project.parts.objects, lesson.dataset.id)
    speller = tokens.open_speller(tiny.write(tmp_path / "base"))
    read = tokens.read(lesson.examples, speller, lesson.settings, length=100)
    learned, looked = ({row.group for row in side} for side in tokens.divide(read.rows, lesson.settings))
    meta = {"method": "lora", "settings": lesson.settings.model_dump(mode="json")}
    kept = rounding._kept(meta, cases)
    assert (len(cases), read.left_out) == (30, 10)
    assert 4 <= len(kept) <= 8
    assert {"talk 0", "talk 1", "talk 2", "talk 3", "talk 4", "talk 5"} & looked
    assert looked <= set(map(group_of, kept))
    assert learned.isdisjoint(map(group_of, kept))


def test_data_of_its_own_is_validated_on_and_nothing_else_is_kept_back(tmp_path: Path) -> None:
    home = written(tmp_path)
    (home / "suites" / "more.jsonl").write_text('{"question": "Where is my sofa?", "references": ["delivery"]}\n')
    (home / "suites" / "more.toml").write_text('metrics = ["exact-match"]\nsplit = "train"\n')
    with gw.open(home) as project:
        wanted = Wanted(data="letters-train", validation="more")
        tuning.refuse_unknown(project.parts, wanted)
        lesson = tuning.lesson_of(project.parts, wanted, say=lambda _: None)
        assert [one.validates for one in lesson.examples] == [False] * 12 + [True]
        assert lesson.validation
        assert (lesson.validation.name, lesson.near) == ("more", "")
        with pytest.raises(UserError, match="no suite or dataset 'mor'"):
            tuning.refuse_unknown(project.parts, Wanted(data="letters-train", validation="mor"))
        with pytest.raises(UserError, match="both what is learned and what it is validated on"):
            tuning.refuse_unknown(project.parts, Wanted(data="more", validation="more"))


def test_a_job_warns_of_what_is_near(tmp_path: Path) -> None:
    with gw.open(written(tmp_path)) as project:
        engine = project.parts.engine
        job = {"file": "file-1", "validation": "file-2", "base": "chat", "suffix": ""}
        run = runs.get(engine, runs.create(engine, "finetune", settings={"job": job}, config={}))
        point = Point(phase="reading", told="1 of the 3 validation cases are nearly the same")
        found = tuning_jobs.events(run, {"near 0": {**asdict(point), "at": run.created + 1}})
    assert [(one.level, one.message) for one in found[:2]] == [
        ("warn", point.told),
        ("info", "Validating validation file: file-2"),
    ]
