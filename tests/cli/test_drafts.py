"""`gatewheel evals generate|accept`: a person has the last word on every drafted case."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.data import cases, drafts, suites
from gatewheel.data.cases import identity
from gatewheel.kernel.nouns import Case

Call = Callable[..., Any]


def drafted(question: str, answer: str, number: int) -> Case:
    meta = {"passage": f"p{number}", "span": [0, len(answer)], "model": "m"}
    case = Case(id="", question=question, references=(answer,), sources=("a.md",), evidence=(answer,), meta=meta)
    return Case(**{**{name: getattr(case, name) for name in cases.FIELDS}, "id": identity(case)})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gw.init(tmp_path / "home").close()
    root = tmp_path / "home"
    drafts.add(root, "town", drafted("When did the Harbour Museum open?", "The Harbour Museum opened in 1962.", 1))
    drafts.add(root, "town", drafted("How often does the ferry leave?", "The ferry leaves twice an hour.", 2))
    drafts.add(root, "town", drafted("What does the bakery use?", "The bakery uses sourdough from 1978.", 3))
    return root


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(home)

    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        assert run(["evals", *words, *(["--json"] if schema else [])]) == code
        out, err = capsys.readouterr()
        if not schema:
            return out + err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(schema))
        return value

    return call


def test_accepted_drafts_become_cases_and_refused_ones_do_not(home: Path, call: Call) -> None:
    first, second, third = drafts.waiting(home, "town")
    done = call("accept", "town", "--id", first.id[:8], "--refuse", third.id[:8], schema="evals-accept")
    assert (done["accepted"], done["refused"], done["cases"]) == (1, 1, 1)
    assert [row["id"] for row in done["waiting"]] == [second.id]
    suite = suites.load(home, "town")
    assert [case.question for case in suite.cases] == ["When did the Harbour Museum open?"]
    assert suite.cases[0].evidence == ("The Harbour Museum opened in 1962.",)
    assert suite.cases[0].meta == {"drafted_by": "m"}
    done = call("accept", "town", "--all", schema="evals-accept")
    assert (done["accepted"], done["cases"], done["waiting"]) == (1, 2, [])
    assert call("accept", "town", "--all", schema="evals-accept")["accepted"] == 0


def test_accepting_the_same_again_adds_nothing(home: Path, call: Call) -> None:
    call("accept", "town", "--all", schema="evals-accept")
    for case in drafts.read(home, "town"):  # as if it had been stopped before the verdicts were written
        drafts.add(home, "other", drafted(case.question, case.references[0], 9))
    drafts.path_of(home, "other").replace(drafts.path_of(home, "town"))
    assert call("accept", "town", "--all", schema="evals-accept")["cases"] == 3


def test_a_draft_that_is_not_there_is_told_and_nothing_is_taken(home: Path, call: Call) -> None:
    first = drafts.waiting(home, "town")[0]
    assert "no drafts" in call("accept", "town", "--id", first.id[:8], "--id", "ffffff0", code=1)
    assert len(drafts.waiting(home, "town")) == 3
    assert "town" not in suites.names(home)


def test_without_a_terminal_one_names_them(call: Call) -> None:
    assert "--all" in call("accept", "town", code=1)


def test_what_is_refused_is_not_accepted_with_all_the_others(home: Path, call: Call) -> None:
    first, *_ = drafts.waiting(home, "town")
    done = call("accept", "town", "--all", "--refuse", first.id[:8], schema="evals-accept")
    assert (done["accepted"], done["refused"], done["cases"], done["waiting"]) == (2, 1, 2, [])
    assert first.question not in [case.question for case in suites.load(home, "town").cases]
    assert [drafts.mark_of(case) for case in drafts.read(home, "town")] == ["refused", "accepted", "accepted"]


def test_a_draft_that_cannot_be_taken_waits_on_and_the_next_one_is_shown(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = drafts.waiting(home, "town")
    (home / "suites" / "learnt.toml").write_text('metrics = ["token-f1"]\nsplit = "train"\n', encoding="utf-8")
    cases.write(home / "suites" / "learnt.jsonl", [Case(id="x", question=first.question)])
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    keys = iter("aea")
    monkeypatch.setattr("click.getchar", lambda: next(keys))
    monkeypatch.setattr("click.prompt", lambda _text, default, **_: default.replace("ferry", "old ferry"))
    told = call("accept", "town")
    assert "nearly the same as cases that are for training" in told
    assert "2 accepted, 0 refused, 1 wait; suite town has 2 cases." in told
    assert [case.id for case in drafts.waiting(home, "town")] == [first.id]
    assert [case.question for case in suites.load(home, "town").cases] == [
        "How often does the old ferry leave?",
        "What does the bakery use?",
    ]


def test_drafts_are_no_suite_and_a_spoilt_file_is_told(home: Path, call: Call) -> None:
    assert "town" not in suites.names(home)
    drafts.path_of(home, "town").write_text("{no json\n")
    assert "line 1" in call("accept", "town", "--all", code=1)
