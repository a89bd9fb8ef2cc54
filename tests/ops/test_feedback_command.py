"""`gatewheel feedback`: given once, listed, and refused in one line with its cure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gatewheel.cli import schemas
from gatewheel.cli.main import run


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        assert run(["-C", str(tmp_path), *words]) == code
        out, err = capsys.readouterr()
        if code:
            assert len(err.strip().splitlines()) == 1
            return err
        value = json.loads(out) if schema else out
        if schema:
            jsonschema.validate(value, schemas.schema(schema))
        return value

    call("init")
    with (tmp_path / "gatewheel.toml").open("a") as file:
        file.write('mode = "quote"\n')
    (tmp_path / "kettle.md").write_text("# Kettle\n\nThe kettle holds 1.7 litres.\n")
    call("ingest", "--json")
    return call


def test_feedback_is_given_once_and_listed(call: Callable[..., Any]) -> None:
    trace = call("ask", "How much does the kettle hold?", "--json", schema="ask")["trace"]
    words = ["feedback", "give", trace[:10], "--thumb", "down", "--correction", "1.8 litres", "--wrong-citation", "1"]
    first, again = (call(*words, "--json", schema="feedback-give") for _ in range(2))
    assert first == again
    assert (first["trace"], first["wrong_citations"]) == (trace, [1])
    call("feedback", "give", trace, "--score", "0.5")
    listed = call("feedback", "list", "--trace", trace[:10], "--json", schema="feedback-list")["feedback"]
    assert [one["score"] for one in listed] == [0.5, None]
    assert 'thumb down, wrong [1], correction "1.8 litres"' in call("feedback", "list")
    assert "says nothing" in call("feedback", "give", trace, code=1)
    assert "no citation [7]" in call("feedback", "give", trace, "--wrong-citation", "7", code=1)
    assert "no trace" in call("feedback", "give", "nothing", "--thumb", "up", code=1)
    assert "no trace" in call("feedback", "list", "--trace", "nothing", code=1)
    assert "--score" in call("feedback", "give", trace, "--score", "2", code=1)
