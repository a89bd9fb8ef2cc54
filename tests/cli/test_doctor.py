"""`gatewheel doctor` looks at this project's parts, and every fault has its cure."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from gatewheel.cli.main import run
from gatewheel.kernel.config import CONFIG_FILE

KEYED = '[model.chat]\nuse = "openai"\nmodel = "m"\napi_key_env = "NO_SUCH_KEY"\n'
LOCAL = '[model.chat]\nuse = "llama.cpp"\n'
BY_WORDS = '[encoder.main]\nuse = "none"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert run(["init", str(tmp_path)]) == 0
    return tmp_path


def examined(home: Path, capsys: pytest.CaptureFixture[str], toml: str) -> tuple[int, list[dict[str, Any]]]:
    (home / CONFIG_FILE).write_text(toml)
    capsys.readouterr()
    code = run(["-C", str(home), "doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)["checks"]


def of(checks: list[dict[str, Any]], area: str) -> list[dict[str, Any]]:
    return [check for check in checks if check["area"] == area]


def test_the_project_s_own_model_is_looked_at(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(home, capsys, KEYED + BY_WORDS)
    [model], [encoder] = of(checks, "model"), of(checks, "encoder")
    assert (code, model["state"], encoder["state"]) == (1, "wrong", "ok")
    assert "NO_SUCH_KEY" in model["what"]
    assert "export NO_SUCH_KEY" in model["cure"]
    assert "none" in encoder["what"]


def test_weights_and_folders_that_are_not_there_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(
        home, capsys, LOCAL + 'weights = "no/such.gguf"\n' + '[encoder.main]\nuse = "openvino"\nweights = "no/such"\n'
    )
    assert code == 1
    for area in ("model", "encoder"):
        [check] = of(checks, area)
        assert check["state"] == "wrong"
        assert "no/such" in check["what"]
        assert check["cure"]


def test_an_extra_that_is_not_installed_is_absent_not_a_tick(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(home, capsys, LOCAL + BY_WORDS)
    assert code == 0
    [train] = [check for check in of(checks, "extra") if check["what"].startswith("train")]
    installed = importlib.util.find_spec("torch") is not None
    assert train["state"] == ("ok" if installed else "absent")
    run(["-C", str(home), "doctor"])
    assert installed or "· extra" in capsys.readouterr().out


def test_settings_that_exclude_each_other_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = examined(home, capsys, LOCAL + BY_WORDS + '[retriever.main]\nuse = "dense"\n')
    assert code == 1
    assert "needs vectors" in of(checks, "project")[-1]["what"]
    assert run(["-C", str(home), "config", "check"]) == 1


def test_an_index_of_other_settings_is_a_warning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "a.md").write_text("# A\n\nWords.\n")
    (home / CONFIG_FILE).write_text(LOCAL + BY_WORDS)
    assert run(["-C", str(home), "ingest"]) == 0
    code, checks = examined(home, capsys, LOCAL + BY_WORDS + '[chunker.main]\nuse = "fixed"\n')
    [warning, _] = of(checks, "documents")
    assert (code, warning["state"], warning["cure"]) == (0, "warning", "run `gatewheel ingest`")


def test_a_damaged_store_is_wrong_and_has_a_cure(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert examined(home, capsys, LOCAL + BY_WORDS)[0] == 0
    path = home / ".gatewheel" / "gatewheel.db"
    data = bytearray(path.read_bytes())
    data[8 * 4096 : 20 * 4096] = b"\xff" * (12 * 4096)
    path.write_bytes(data)
    code, checks = examined(home, capsys, LOCAL + BY_WORDS)
    wrong = [check for check in checks if check["state"] == "wrong"]
    assert code == 1
    assert wrong
    assert all(check["cure"] for check in wrong)
