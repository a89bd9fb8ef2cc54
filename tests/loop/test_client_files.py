"""A file of the tuning API as a dataset version: its cases stand for training, and none is near to a holdout."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import gatewheel as gw
from gatewheel.data import datasets, origins, splits
from gatewheel.data.cases import split_key
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import UserError
from gatewheel.loop import client_files, tainting
from gatewheel.loop.project import Project

HELD = "How long does the guarantee of the blue kettle last?"


def row(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    gw.init(tmp_path).close()
    (tmp_path / CONFIG_FILE).write_text('[encoder.main]\nuse = "none"\n')
    (tmp_path / "suites" / "held.jsonl").write_text(json.dumps({"question": HELD, "references": ["a year"]}) + "\n")
    (tmp_path / "suites" / "held.toml").write_text('metrics = ["exact-match"]\n')
    return gw.open(tmp_path)


def sent(project: Project, text: str) -> client_files.File:
    content = io.BytesIO(text.encode())
    return client_files.keep(project.parts.engine, project.parts.objects, content, name="a.jsonl", key="k")


def test_what_is_held_out_is_left_out_and_the_rest_stands_for_training(project: Project) -> None:
    with project:
        parts = project.parts
        file = sent(project, row("Where is my lamp?", "delivery") + row(HELD, "a year") + row("Pay me!", "refund"))
        made = client_files.frozen(parts, file.id)
        cases = datasets.load(parts.objects, made.id)
        assert sorted(case.question for case in cases) == ["Pay me!", "Where is my lamp?"]
        assert sum(made.card["left_out"].values()) == 1
        keys = [split_key(case) for case in cases]
        assert set(splits.of(parts.engine, keys).values()) == {"train"}
        assert {one.detail["id"] for one in origins.made_of(parts.engine, "file", ["a.jsonl"])} == {file.id}
        assert client_files.frozen(parts, file.id).id == made.id, "the same file is the same version"
        with parts.engine.begin() as connection:
            tainting.mark(connection, "dataset", [made.id], "user ada was forgotten")
        with pytest.raises(UserError, match="holds what was forgotten since: user ada was forgotten; learn from other"):
            client_files.frozen(parts, file.id)


def test_a_file_of_which_nothing_is_left_says_why(project: Project) -> None:
    with project, pytest.raises(UserError, match=r"of the 1 cases of file-.* none is left"):
        client_files.frozen(project.parts, sent(project, row(HELD, "a year")).id)


def test_a_file_that_was_deleted_is_not_learned(project: Project) -> None:
    with project:
        file = sent(project, row("a", "b"))
        assert client_files.remove(project.parts.engine, project.parts.objects, file.id, key="k")
        with pytest.raises(UserError, match="upload it again"):
            client_files.frozen(project.parts, file.id)


def test_the_results_of_a_run_are_kept_once(project: Project) -> None:
    with project:
        engine, objects = project.parts.engine, project.parts.objects
        first, second = (
            client_files.keep(engine, objects, io.BytesIO(content), name="m.csv", key="k", run="r")
            for content in (b"a", b"b")
        )
        assert first == second
        assert [one.purpose for one in client_files.listed(engine, key="k")] == ["fine-tune-results"]
