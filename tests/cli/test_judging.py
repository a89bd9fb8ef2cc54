"""`gatewheel evals judge|judges|prefer`: the model that ships fails its probation, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from examinee import examinee
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.loop.evaluate import Wanted
from judged import JUDGE, agreeing, court, golden, grading, stars

Told = Callable[..., dict[str, Any]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def command(folder: Path, *words: str) -> dict[str, Any]:
        capsys.readouterr()
        assert run(["-C", str(folder), "evals", *words, "--json"]) == 0, capsys.readouterr().err
        value: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.validate(value, schemas.schema(f"evals-{words[0]}"))
        return value

    return command


def test_the_model_that_ships_fails_its_probation_and_says_so(
    tmp_path: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    gw.init(tmp_path).close()
    own = JUDGE.replace('"other"', '"chat"') + "reason = 0\nmax_tokens = 16\n"
    toml = '[model.chat]\nuse = "llama.cpp"\nthreads = 2\ncontext_length = 2048\n\n[serve]\nslots = 2\n\n'
    (tmp_path / "gatewheel.toml").write_text(toml + own)
    (tmp_path / "helpful.md").write_text("4 is for three stars (*) in the answer, 3 for two, 2 for one, 1 for none.\n")
    golden(tmp_path, agreeing(6), each=1)
    said = told(tmp_path, "judge", "helpful")["judge"]
    assert (said["state"], said["answers"]) == ("failed", 6)
    assert said["low"] < 0.6
    assert said["people"] > 0.9
    assert told(tmp_path, "judges")["judges"][0]["text"] == said["text"]
    assert run(["-C", str(tmp_path), "evals", "judge", "helpful"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("judge helpful is on probation: agreement ")
    assert "< 0.6 with people on 6 answers" in out


def test_a_judge_is_measured_listed_and_asked_to_prefer(
    tmp_path: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    with examinee(grading(stars)) as endpoint:
        home = court(tmp_path, endpoint.url)
        first = told(home, "judges")["judges"][0]
        assert (first["state"], first["agreement"]) == ("on probation", None)
        measured = told(home, "judge", "helpful")
        assert (measured["judge"]["state"], measured["moved"]) == ("admitted", None)
        again = told(home, "judge", "helpful", "--again")
        assert (again["moved"]["difference"], again["forgotten"]) == (0.0, 0)
        with gw.open(home) as project:
            project.evaluate(Wanted(suite="exam"))
            endpoint.rule = grading(stars, lambda question: question + "*")
            project.evaluate(Wanted(suite="exam", model="other"))
        said = told(home, "prefer", "helpful", "chat", "other")
        assert (said["wins"], said["losses"], said["ties"], said["first"]) == (30, 0, 10, 0.5)
        assert said["corrected"] is None
        capsys.readouterr()
        for words in (["judge", "helpful"], ["judges"], ["prefer", "helpful", "chat", "other"]):
            assert run(["-C", str(home), "evals", *words]) == 0
        out = capsys.readouterr().out
        assert "judge helpful is admitted: agreement" in out
        assert "30 wins of b, 0 of a, 10 ties, 0 undecided" in out
    with pytest.raises(AssertionError):
        told(home, "judge", "nobody")
