"""`gatewheel guard` and `gatewheel ops` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gatewheel as gw
from gatewheel.cli.main import run
from gatewheel.kernel.nouns import Usage
from gatewheel.ops import keys, spending


def test_a_text_is_redacted_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["guard", "redact", "ada@example.org at 10.0.0.1"]) == 0
    assert capsys.readouterr().out == "[email] at [ip]\n"
    assert run(["guard", "redact", "--kind", "ip", "--json", "ada@example.org at 10.0.0.1"]) == 0
    assert json.loads(capsys.readouterr().out) == {"text": "ada@example.org at [ip]"}
    assert run(["guard", "redact", "--kind", "emial", "x"]) == 1
    assert "did you mean 'email'?" in capsys.readouterr().err


def test_spending_is_told_by_day_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gw.init(tmp_path) as project:
        engine = project.parts.engine
        key, _ = keys.create(
            engine, name="website", scopes=("ask",), groups=(), requests_per_minute=None, dollars_per_day=None
        )
        for _ in range(2):
            spending.spend(engine, key.id, Usage(input_tokens=100, output_tokens=7, cost=0.5))
        spending.spend(engine, "", Usage(input_tokens=3, output_tokens=1))
    assert run(["-C", str(tmp_path), "ops", "spending", "--json"]) == 0
    days = json.loads(capsys.readouterr().out)["days"]
    assert [(row["name"], row["requests"], row["input_tokens"], row["dollars"]) for row in days] == [
        ("the owner", 1, 3, 0.0),
        ("website", 2, 200, 1.0),
    ]
    assert run(["-C", str(tmp_path), "ops", "spending"]) == 0
    assert "$1.0000" in capsys.readouterr().out


def test_a_program_is_run_in_the_sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "right.py").write_text("print(6 * 7)")
    (tmp_path / "wrong.py").write_text("open('/etc/passwd')")
    assert run(["guard", "run", str(tmp_path / "right.py")]) == 0
    assert capsys.readouterr().out == "42\n"
    assert run(["guard", "run", str(tmp_path / "wrong.py"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "failed"
    assert told["reason"] in ("FileNotFoundError", "PermissionError")
    assert run(["guard", "run", str(tmp_path / "wrong.py")]) == 1
    assert "Error, 0." in capsys.readouterr().err


def test_the_walls_of_the_sandbox_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["guard", "sandbox", "--json"]) == 0
    walls = {wall["name"]: wall for wall in json.loads(capsys.readouterr().out)["walls"]}
    assert walls["seccomp"]["stands"]
    assert run(["guard", "sandbox"]) == 0
    assert "seccomp" in capsys.readouterr().out
