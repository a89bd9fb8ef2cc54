"""`gatewheel lineage` and `gatewheel forget` at the command line: trees, dry runs, JSON that keeps to its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import learned
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from learned import Learned

Call = Callable[..., Any]


@pytest.fixture
def made(tmp_path: Path) -> Learned:
    return learned.make(tmp_path)


@pytest.fixture
def call(made: Learned, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        assert run(["-C", str(made.home), *words, *(["--json"] if schema else [])]) == code
        out, err = capsys.readouterr()
        if not schema:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(schema))
        return value

    return call


def test_lineage_is_a_tree_in_both_directions(call: Call, made: Learned) -> None:
    out, _ = call("lineage", made.variant[:12])
    up, down = out.split("what came of it")
    assert "├─ release 1  promote for [app.main]" in up
    assert f"└─ artifact {made.gguf[:12]}  gguf Q8_0" in up
    assert "document docs/kettle.md  Kettle, characters 10–48" in up
    assert "└─ release 1" in down
    assert "kettle" not in down


def test_lineage_goes_one_way_where_that_is_asked_for(call: Call, made: Learned) -> None:
    told = call("lineage", "docs/kettle.md", "--down", schema="lineage")
    assert (told["node"]["kind"], told["up"]) == ("document", None)
    assert told["down"]["branches"][0]["where"] == "characters 10–48"
    assert call("lineage", "docs/kettle.md", "--up", schema="lineage")["down"] is None
    _, err = call("lineage", "docs/kettel.md", code=1)
    assert "nothing here is called 'docs/kettel.md'; did you mean" in err


def test_forget_lists_until_it_is_told_to_purge(call: Call, made: Learned) -> None:
    told = call("forget", "--document", "docs/kettle.md", schema="forget")
    assert (told["done"], told["traces"], told["feedback"], told["answers"], told["responses"]) == (False, 1, 1, 1, 1)
    assert (told["failures"], told["leaks"], told["vectors"], told["untold"]) == (0, 0, 0, [])
    assert told["cases"] == [
        {"file": "suites/held.jsonl", "cases": 1, "stay": 1},
        {"file": "suites/taught.jsonl", "cases": 2, "stay": 1},
    ]
    assert told["released"] == [{"app": "main", "variant": made.variant}]
    out, err = call("forget", "--document", "docs/kettle.md")
    assert "would go: 1 document, 1 passage of it, 1 trace, 1 comment on traces" in out
    assert "[app.main] answers by variant ffffffffffff, which learned of what is forgotten" in out
    assert "gatewheel forget --document docs/kettle.md --yes" in err
    assert call("forget", "--document", "docs/kettle.md", schema="forget") == told, "nothing was changed"


def test_forget_purges_and_says_what_it_cannot(call: Call, made: Learned) -> None:
    out, err = call("forget", "--document", "docs/kettle.md", "--yes")
    assert "purged: 1 document," in out
    assert f"tainted: adapter {made.adapter[:12]}" in out
    assert 'exclude = ["docs/kettle.md"]' in err
    assert "git, whose history is yours" in err
    _, err = call("release", "list")
    assert "! [app.main] answers by ffffffffffff, which learned of what was forgotten: document docs/kettle.md" in err
    reasons = call("release", "list", schema="release-list")["tainted"]
    assert reasons == {"main": ["document docs/kettle.md was forgotten"]}
    _, err = call("variants", "add", made.run, code=1)
    assert "learned of what was forgotten since" in err
    told = call("forget", "--document", "docs/kettle.md", "--yes", schema="forget")
    assert (told["documents"], told["cases"], told["before"] is not None) == ([], [], True)


def test_forget_takes_one_of_both(call: Call, made: Learned) -> None:
    _, err = call("forget", code=1)
    assert "name one: --document SOURCE or --user KEY" in err
    told = call("forget", "--user", "ada", schema="forget")
    assert (told["what"], told["traces"], told["documents"]) == (f"user {made.ada}", 1, [])
