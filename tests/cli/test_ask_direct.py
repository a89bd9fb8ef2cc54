"""`gatewheel ask` and `chat` where no documents are read, and where something else is released."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gatewheel as gw
from examinee import examinee
from gatewheel.cli.main import run
from gatewheel.ops import releases

TOML = """
[encoder.main]
use = "none"
[model.far]
use = "openai"
model = "m"
base_url = "{url}"
[app.main]
use = "direct"
model = "far"
prompt = "sort"
"""


def test_an_application_without_documents_is_asked_and_says_when_another_is_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gw.init(tmp_path).close()
    (tmp_path / "prompts" / "sort.md").write_text("{{ question }}")
    with examinee() as endpoint:
        (tmp_path / "gatewheel.toml").write_text(TOML.format(url=endpoint.url))
        assert run(["-C", str(tmp_path), "ask", "Where is it?", "--json"]) == 0
        out, err = capsys.readouterr()
        answer = json.loads(out)
        assert answer["answer"] == "answer to Where is it?"
        assert "answers here" not in err
        with gw.open(tmp_path) as project:
            releases.promote(project.parts.engine, "main", "f" * 64, gates={}, override="a trial")
        assert run(["-C", str(tmp_path), "ask", "Where is it?"]) == 0
        out, err = capsys.readouterr()
        assert "answer to Where is it?" in out
        assert f"variant {answer['variant'][:12]}; `gatewheel serve` answers by {'f' * 12}" in err
    assert run(["-C", str(tmp_path), "ask", "x", "--app", "none"]) == 1
    assert "no [app.none]; known: main" in capsys.readouterr().err
