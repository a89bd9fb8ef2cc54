"""`gatewheel data freeze|versions|diff|stats|card|harvest`, and what `import` learned of chats, at the command line."""

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
from gatewheel.data import drafts, origins, suites
from gatewheel.data.cases import identity, split_key
from gatewheel.kernel import trace as traces
from gatewheel.kernel.nouns import Case, Trace

Call = Callable[..., Any]
QUICK = ("import", "freeze", "stats", "harvest")
CHATS = [
    {
        "messages": [
            {"role": "system", "content": "You sell kettles."},
            {"role": "user", "content": "What does it cost? Tell bob@example.org."},
            {"role": "assistant", "content": "It costs 20 euros."},
            {"role": "user", "content": "And the red one?"},
            {"role": "assistant", "content": "It costs 25 euros."},
        ]
    },
    {"instruction": "Translate into German", "input": "the kettle", "output": "der Kessel"},
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gw.init(tmp_path / "home").close()
    lines = "".join(json.dumps(chat) + "\n" for chat in CHATS)
    (tmp_path / "home" / "chats.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(home)

    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        quick = ["--words-only"] if words[0] in QUICK else []
        assert run(["data", *words, *quick, *(["--json"] if schema else [])]) == code
        out, err = capsys.readouterr()
        if not schema:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(schema))
        return value

    return call


def study(call: Call) -> None:
    call("import", "chats.jsonl", "--to", "study", "--split", "train", "--every-turn", "--redact", "--licence", "mit")


def test_chats_become_cases_with_the_place_where_each_stands(home: Path, call: Call) -> None:
    words = ("import", "chats.jsonl", "--to", "study", "--split", "train", "--every-turn", "--redact")
    told = call(*words, schema="data-import")
    assert (told["added"], told["redacted"], told["split"]) == (3, 2, "train")
    found = suites.load(home, "study").cases
    assert [case.references for case in found] == [("It costs 20 euros.",), ("It costs 25 euros.",), ("der Kessel",)]
    assert found[0].question == "What does it cost? Tell [email]."
    with gw.open(home) as project:
        known = origins.of(project.parts.engine, map(split_key, found))
    assert [(one.kind, one.ref, one.detail) for one in known[split_key(found[2])]] == [
        ("file", "chats.jsonl", {"place": "chats.jsonl, line 2"})
    ]


def test_a_version_is_frozen_listed_compared_and_described(home: Path, call: Call) -> None:
    study(call)
    first = call("freeze", "study", schema="data-freeze")
    assert (first["new"], first["version"]["cases"], first["left_out"]) == (True, 3, [])
    assert "the same as what was frozen of study" in call("freeze", "study")[0]
    path = home / "suites" / "study.jsonl"
    path.write_text(path.read_text().replace("25", "26") + '{"question": "Why?", "references": ["So."]}\n')
    told = call("diff", "study", schema="data-diff")
    assert (told["before"], told["after"], told["same"]) == (first["version"]["id"], "study", 2)
    assert [row["question"] for row in told["added"]] == ["Why?"]
    [changed] = told["changed"]
    assert (changed["before"], changed["after"]) == ("It costs 25 euros.", "It costs 26 euros.")
    second = call("freeze", "study", "--min-words", "2", schema="data-freeze")
    assert [(row["kind"], row["question"]) for row in second["left_out"]] == [("short", "Why?")]
    third = call("freeze", "study", schema="data-freeze")
    assert (third["version"], third["freeze"]) == (second["version"], "min_words = 2")
    assert (home / "suites" / "study.toml").read_text().endswith("\n[freeze]\nmin_words = 2\n")
    listed = call("versions", "study", schema="data-versions")["versions"]
    assert [row["id"] for row in listed] == [second["version"]["id"], first["version"]["id"]]
    ids = [row["id"][:12] for row in listed]
    assert call("diff", ids[1], ids[0])[0].endswith("0 added, 0 removed, 1 changed, 2 the same\n")
    stats = call("stats", "study", schema="data-stats")
    assert (stats["cases"], stats["replies"], stats["unit"], stats["version"]) == (4, 4, "tokens", "")
    assert call("stats", ids[1], schema="data-stats")["cases"] == 3
    assert "to learn: 4 references" in call("stats", "study")[0]
    card = call("card", "study", schema="data-card")
    assert card["text"] == (home / "suites" / "study.card.md").read_text(encoding="utf-8")
    assert "- left out: 1 (reply too short)" in call("card", ids[0])[0]
    assert "- file `chats.jsonl`: 3 cases, licence mit" in call("card", ids[1])[0]


def test_what_a_suite_is_frozen_with_is_said_and_taken_back_by_the_same_words(home: Path, call: Call) -> None:
    study(call)
    toml = home / "suites" / "study.toml"
    before = toml.read_text()
    words = ("--no-near", "--language", "en", "--max-repeated", "0.5")
    said = 'languages = ["en"], repeated = 0.5, no_near = true'
    assert call("freeze", "study", *words, schema="data-freeze")["freeze"] == said
    back = call("freeze", "study", "--near", "--language", "any", "--max-repeated", "1", schema="data-freeze")
    assert (back["freeze"], back["lifted"], toml.read_text()) == ("", [], before)
    toml.write_text(f"freeze = {{min_words = 1}}\n{before}")
    cases = home / "suites" / "study.jsonl"
    cases.write_text(cases.read_text() + '{"question": "Who runs it?", "references": ["It is Ada."]}\n')
    err = call("freeze", "study", "--min-words", "2", code=1)[1]
    assert "freeze is not written as a table [freeze] and cannot be replaced; write it yourself: min_words = 2" in err
    assert len(call("versions", "study", schema="data-versions")["versions"]) == 1, "nothing was frozen"


def test_what_is_not_there_is_told_with_the_cure(home: Path, call: Call) -> None:
    for words in (("versions", "study"), ("card", "study"), ("diff", "study"), ("stats", "study")):
        assert "no dataset version 'study'; freeze one: gatewheel data freeze SUITE" in call(*words, code=1)[1]
    assert call("versions")[0] == ""
    study(call)
    call("freeze", "study")
    assert "no dataset version 'stdy'; did you mean 'study'" in call("versions", "stdy", code=1)[1]
    assert "no suite suites/stdy.toml" in call("freeze", "stdy", code=1)[1]
    assert "nothing" not in call("freeze", "study", "--max-words", "1", code=1)[0]


def test_a_harvest_at_the_command_line(home: Path, call: Call) -> None:
    made = Trace(
        id="d" * 32, created=1.0, kind="ask", question="When does it open?", answer="At nine.", abstained=False,
        variant="c0de" * 16, seconds=1.0, input_tokens=1, output_tokens=1,
    )  # fmt: skip
    with gw.open(home) as project:
        for number, question in enumerate(["When does it open?", "Who runs it?"]):
            traces.keep(project.parts.engine, Trace(**{**plain(made), "id": f"{number}" * 32, "question": question}))
        project.give_feedback("0" * 32, thumb="down", correction="At ten.")
        project.give_feedback("1" * 32, thumb="down")
    told = call("harvest", "--to", "study", "--since", "7d", "--where", "thumb=down", schema="data-harvest")
    assert {key: told[key] for key in ("traces", "cases", "added", "renewed", "known")} == {
        "traces": 2, "cases": 1, "added": 1, "renewed": 0, "known": 0,
    }  # fmt: skip
    [passed] = told["passed"]
    assert (passed["trace"], passed["question"]) == ("1" * 32, "Who runs it?")
    out, err = call("harvest", "--to", "study", "--where", "thumb=down")
    assert out == "suite study: 0 cases added, 1 known; 1 in all, train; 1 of 2 traces left out\n"
    assert "left out 111111111111 'Who runs it?': nobody wrote what would have been right" in err
    assert (
        "there is no field 'tumb'; did you mean 'thumb'"
        in call("harvest", "--to", "x", "--where", "tumb=up", code=1)[1]
    )


def plain(made: Trace) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def test_an_accepted_draft_knows_the_span_that_it_was_made_of(home: Path) -> None:
    draft = Case(id="", question="When did it open?", references=("It opened in 1962.",), sources=("town.md",),
                 meta={"passage": "p1", "span": [4, 22], "model": "m"})  # fmt: skip
    draft = Case(**{**{key: getattr(draft, key) for key in draft.__dataclass_fields__}, "id": identity(draft)})
    drafts.add(home, "town", draft)
    assert run(["-C", str(home), "evals", "accept", "town", "--all"]) == 0
    [case] = suites.load(home, "town").cases
    with gw.open(home) as project:
        [origin] = origins.of(project.parts.engine, [split_key(case)])[split_key(case)]
        assert origins.made_of(project.parts.engine, "document", ["town.md"]) == [origin]
    assert (origin.kind, origin.ref, origin.detail) == ("document", "town.md", {"passage": "p1", "span": [4, 22]})
