"""`gatewheel finetune`, `improve`, `variants add`, `models adapters|export|import`: what they say when it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewheel.cli.improve import seconds_of
from gatewheel.cli.main import run
from gatewheel.kernel.errors import UserError
from letters import written

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(written(tmp_path))

    def call(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("finetune", "lora", "--data", "letter-train"), "letters-train"),  # what was meant
        (("finetune", "lora", "--data", "letters-train", "--set", "rank"), "--set rank: has no ="),
        (("finetune", "lora", "--data", "letters-train", "--set", "rank=many"), "rank: "),
        (("finetune", "lora", "--data", "letters-train", "--set", "rankk=8"), "rankk: is not a setting; did you mean"),
        (("finetune", "lora", "--data", "letters-train", "--app", "elsewhere"), "name a local one with --base"),
        (("finetune", "lorra", "--data", "letters-train"), "did you mean 'lora'"),
        (("improve", "--app", "elsewhere"), "runs elsewhere"),
        (("improve", "--budget", "soon"), "--budget: 'soon' is no time; write e.g. 30m"),
        (("improve", "--with", "prayer"), "no [finetune.prayer]"),
        (("variants", "add", "20261122"), "no artifact '20261122'"),
        (("models", "export", "abc", "--to", "x.gguf"), "no artifact 'abc'"),
        (("models", "import", "nowhere"), "no adapter at"),
        (("evals", "run", "letters", "--variant", "ffff"), "no variant 'ffff'"),
    ],
)
def test_a_mistake_is_told_with_its_cure(call: Call, words: tuple[str, ...], said: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (1, "")
    assert said in err
    code, out, err = call(*words, "--json")
    told = json.loads(err.splitlines()[-1])
    assert told["exit_code"] == code == 1
    assert said in f"{told['error']}; {told['cure']}"


def test_without_any_adapter_the_list_says_how_to_make_one(call: Call) -> None:
    code, out, err = call("models", "adapters")
    assert (code, out) == (0, "")
    assert "gatewheel finetune lora" in err
    assert json.loads(call("models", "adapters", "--json")[1]) == {"adapters": []}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0)])
def test_a_budget_is_a_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "-5m", "5 days"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no time"):
        seconds_of(text)
