"""`gatewheel release`: nobody is released past the gate unseen, and the way back is one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import gatewheel as gw
from gatewheel.cli.main import run
from gatewheel.kernel.store.schema import releases as table
from gating import make


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("rooms"))


def test_from_the_gate_to_the_release_and_back(rooms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> tuple[int, Any]:
        code = run(["-C", str(rooms), *arguments, "--json"])
        said = capsys.readouterr()
        return code, json.loads(said.out or said.err.splitlines()[-1])

    code, said = told("release", "promote", "main")
    assert (code, "never judged" in said["error"]) == (1, True)
    assert told("gate", "deaf")[0] == 3
    code, said = told("release", "promote", "deaf")
    assert (code, ": reject (row 1)" in said["error"]) == (1, True)

    assert told("gate", "main")[0] == 0
    assert told("release", "propose", "main", "--reason", "the codes were changed")[0] == 0
    code, first = told("release", "promote", "main")
    assert (code, first["reason"]) == (0, {"decisions": [2]})
    assert told("release", "promote", "main")[0] == 1
    assert told("gate", "main")[1]["reasons"][0]["rule"] == "changed"

    code, second = told("release", "promote", "deaf", "--override", "the codes must not be told")
    assert (code, second["reason"]) == (0, {"override": "the codes must not be told"})
    listed = told("release", "list")[1]
    assert listed["current"] == {"main": second["variant"]}
    assert [row["action"] for row in listed["releases"]] == ["promote", "gate", "promote", "propose", "gate", "gate"]

    code, back = told("release", "rollback", "--reason", "visitors stand outside")
    assert (code, back["variant"]) == (0, first["variant"])
    assert told("release", "rollback")[1]["variant"] == ""
    assert told("release", "rollback")[0] == 1
    assert told("release", "list")[1]["current"] == {}

    code, whole = told("release", "verify")
    assert (code, whole["rows"], whole["faults"]) == (0, 8, [])
    assert run(["-C", str(rooms), "release", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "past the gate: the codes must not be told" in "".join(lines)
    assert not any(line.startswith("*") for line in lines), "the file answers"


def test_a_pass_is_refused_when_something_else_is_there_by_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, gate="floors = { inclusion = 0.5 }\n")
    toml, suite, cases = (tmp_path / path for path in ("gatewheel.toml", "suites/rooms.toml", "suites/rooms.jsonl"))
    room = tmp_path / "rooms" / "elm.md"

    def refused() -> str:
        assert run(["-C", str(tmp_path), "release", "promote", "same"]) == 1
        return capsys.readouterr().err

    assert run(["-C", str(tmp_path), "gate", "same"]) == 0
    capsys.readouterr()
    for file, changed, told in (
        (toml, toml.read_text().replace("= 0.5", "= 0.95"), "[gate.main] was changed since row 1; run it again"),
        (
            suite,
            'metrics = ["inclusion"]\n',
            "suite rooms, its metrics or what judges by them were changed since row 1",
        ),
        (cases, cases.read_text().split("\n", 1)[1], "suite rooms, its metrics or what judges by them were changed"),
        (toml, toml.read_text().replace("[app.main]", "[app.main]\nbudget = 77"), "what answers without a release was"),
        (room, "# Room elm\n\nNothing is known of it.\n", "the documents were changed since row 1"),
    ):
        before = file.read_text()
        file.write_text(changed)
        if file is room:
            with gw.open(tmp_path) as project:
                project.ingest()
        assert told in refused()
        file.write_text(before)
    with gw.open(tmp_path) as project:
        project.ingest()
    assert run(["-C", str(tmp_path), "release", "promote", "same"]) == 0


def test_a_history_that_was_changed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    release = ["-C", str(tmp_path), "release"]
    assert run([*release, "promote", "main", "--override", "it has to begin"]) == 0
    assert run([*release, "verify"]) == 0
    head = capsys.readouterr().out.split()[-1]
    assert run([*release, "verify", "--head", head[:16]]) == 0
    with gw.open(tmp_path) as project, project.parts.engine.begin() as connection:
        connection.execute(update(table).values(author="nobody"))
    assert run([*release, "verify"]) == 1
    assert "row 1 was changed after it was written" in capsys.readouterr().out
    assert run(["-C", str(tmp_path), "doctor"]) == 1
    assert "row 1 was changed after it was written" in capsys.readouterr().out


def test_what_is_no_application_of_the_project_is_told(rooms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["promote", "main", "--override", "x"], ["rollback"], ["list"], ["propose", "main"]):
        assert run(["-C", str(rooms), "release", *arguments, "--app", "mian"]) == 1
        assert "did you mean 'main'?" in capsys.readouterr().err
