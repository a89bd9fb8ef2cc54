"""What is validated on is not what is learned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

import gatewheel as gw
from gatewheel.finetune.method import Point
from gatewheel.kernel import runs
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop import tuning, tuning_jobs, validating
from gatewheel.loop.tuning import Wanted
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
    assert told.startswith("1 of the 1 validation cases are nearly the same as cases that are learned")


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
