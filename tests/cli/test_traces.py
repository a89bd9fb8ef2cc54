"""`gatewheel traces`: find a question, see where its time went, forget old ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Message, SpanRecord, Trace
from gatewheel.kernel.ports import Decoding

Call = Callable[..., Any]
DAY = 86_400.0


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    import time

    now = time.time()
    gw.init(tmp_path).close()
    asked = trace.chat_request("m", [Message(role="user", content="the whole prompt")], Decoding())
    span = SpanRecord(name="generate", start=0.1, seconds=0.4, attributes=asked)
    with gw.open(tmp_path) as project:
        for number, (question, age, error) in enumerate(
            [("Old?", 40 * DAY, ""), ("New?", DAY, ""), ("Bad?", 60.0, "broke; mend it")]
        ):
            trace.keep(
                project.parts.engine,
                Trace(
                    id=f"{number}" * 32,
                    created=now - age,
                    kind="ask",
                    question=question,
                    answer="" if error else f"Answer {number}.",
                    abstained=number == 1,
                    variant="v" * 64,
                    seconds=1.0,
                    input_tokens=5,
                    output_tokens=2,
                    spans=(span,),
                    model="m",
                    cost=0.5,
                    error=error,
                ),
            )

    def call(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(["-C", str(tmp_path), "traces", *words]) == code
        out, err = capsys.readouterr()
        if "--json" not in words:
            return out + err
        found = json.loads(out)
        jsonschema.validate(found, schemas.schema(f"traces-{words[0]}"))
        return found

    return call


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), ["Bad?", "New?", "Old?"]),
        (("--text", "answer 0"), ["Old?"]),
        (("--since", "7d"), ["Bad?", "New?"]),
        (("--abstained",), ["New?"]),
        (("--answered", "--since", "1h"), ["Bad?"]),
        (("--kind", "chat"), []),
        (("--thumb", "up"), []),
        (("-n", "1"), ["Bad?"]),
    ],
)
def test_list_finds_what_is_asked_for(call: Call, words: tuple[str, ...], left: list[str]) -> None:
    assert [one["question"] for one in call("list", *words, "--json")["traces"]] == left


def test_a_failed_question_is_seen_as_such(call: Call) -> None:
    assert "failed" in call("list").splitlines()[0]
    assert "broke; mend it" in call("show", "222")


def test_show_tells_model_price_and_on_demand_the_prompt(call: Call) -> None:
    shown = call("show", "000")
    assert "m, 5 tokens in, 2 out, 0.500000 dollars" in shown
    assert "the whole prompt" not in shown
    assert "the whole prompt" in call("show", "000", "--prompt")
    assert call("show", "000", "--json")["cost"] == 0.5


def test_purge_forgets_what_is_older(call: Call) -> None:
    assert call("purge", "--older-than", "30d", "--json") == {"traces": 1, "feedback": 0, "responses": 0}
    assert [one["question"] for one in call("list", "--json")["traces"]] == ["Bad?", "New?"]
    assert "no length of time" in call("purge", "--older-than", "tomorrow", code=1)
    assert call("purge", code=1)
