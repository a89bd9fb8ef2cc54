"""`gatewheel ingest` and `init` as the command line shows them: exit codes, and one line for what was left out."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from gatewheel.cli.main import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    assert run(["init", str(folder)]) == 0
    monkeypatch.chdir(folder)
    return folder


def test_a_path_that_is_not_there_fails_after_the_others_were_read(home: Path, capsys: Capture) -> None:
    (home / "latin.txt").write_bytes("Das Tor öffnet um neun.".encode("latin-1"))
    capsys.readouterr()
    assert run(["ingest", "nope.md", "latin.txt"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 documents, 1 passages: 1 added")
    assert err.count("nope.md") == 1
    assert "no file matches it; check the spelling" in err
    assert run(["ingest", "nope.md", "latin.txt", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["unchanged"] == 1
    assert run(["ingest", "latin.txt"]) == 0


def test_a_slip_in_sources_is_an_error_and_not_an_empty_index(home: Path, capsys: Capture) -> None:
    (home / "a.md").write_text("# A\n\nThe words of a.\n")
    assert run(["ingest"]) == 0
    (home / "gatewheel.toml").write_text("[sources]\npaths = ['dcos']\n")
    capsys.readouterr()
    assert run(["ingest"]) == 1
    assert "no file matches 'dcos'" in capsys.readouterr().err
    assert run(["search", "words", "--json"]) == 0
    assert "The words of a." in capsys.readouterr().out


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "tab\tand\x7fdel", "größer 😀", "new\nline"])
def test_any_name_of_a_folder_makes_a_valid_project(tmp_path: Path, name: str, capsys: Capture) -> None:
    assert run(["init", str(tmp_path / name)]) == 0
    text = (tmp_path / name / "gatewheel.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["name"] == name
    assert run(["-C", str(tmp_path / name), "config", "check"]) == 0


def test_init_reports_what_it_wrote_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/answer.md").write_text("mine")
    (tmp_path / ".gitignore").write_text(".gatewheel/\n")
    assert run(["init", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == ["gatewheel.toml", "suites/README.md"]
    assert (tmp_path / "prompts/answer.md").read_text() == "mine"
