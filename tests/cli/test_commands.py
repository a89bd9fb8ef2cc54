"""What a user of the command line counts on: words, JSON that keeps to its schema, exit codes, one line with a cure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gatewheel.cli import schemas
from gatewheel.cli.main import run

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "project"
    assert run(["init", str(folder)]) == 0
    (folder / "house.md").write_text(
        "# House\n\nThe door code of the archive is 4711.\n\n## Cellar\n\nAsk Ines for the key of the cellar.\n"
    )
    (folder / "guide").mkdir()
    (folder / "guide" / "wheel.md").write_text("# Wheel\n\nA gate compares a candidate variant with the incumbent.\n")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")
    assert run(["-C", str(folder), "ingest"]) == 0
    return folder


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        assert run(["-C", str(home), *words]) == code
        out, err = capsys.readouterr()
        if not schema:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(schema))
        return value

    return call


def test_every_command_has_a_schema_that_is_itself_valid() -> None:
    for name in schemas.SHAPES:
        jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


def test_ingest_counts_and_names_what_it_skipped(call: Call) -> None:
    result = call("ingest", "--json", schema="ingest")
    assert {key: result[key] for key in ("documents", "added", "updated", "removed", "unchanged")} == {
        "documents": 2,
        "added": 0,
        "updated": 0,
        "removed": 0,
        "unchanged": 2,
    }
    [skipped] = result["skipped"]
    assert skipped["source"] == "broken.pdf"
    assert skipped["reason"]


def test_search_points_at_the_exact_words(call: Call, home: Path) -> None:
    found = call("search", "door code", "-k", "1", "--json", schema="search")["passages"]
    start, end = found[0]["span"]
    assert found[0]["source"] == "house.md"
    assert (home / "house.md").read_text()[start:end] == found[0]["text"]
    assert "4711" in found[0]["text"]


def test_search_keeps_to_its_filter(call: Call) -> None:
    found = call("search", "key code gate", "--where", "path~=guide/", "--json", schema="search")["passages"]
    assert {passage["source"] for passage in found} == {"guide/wheel.md"}
    assert call("search", "gate", "--where", "page>=2", "--json", schema="search") == {"passages": []}


@pytest.mark.parametrize(
    ("words", "wrong", "cure"),
    [
        (["search", "x", "--where", "pth=1"], "no field named 'pth'", "did you mean 'path'"),
        (["search", "x", "--where", "path="], "expected a value", "--where"),
        (["search", "   "], "the question is empty", "ask"),
        (["serch", "x"], "no command 'serch'", "did you mean 'search'"),
        (["search", "x", "--retriever", "min"], "no [retriever.min]", "did you mean 'main'"),
        (["ingest", "nowhere/*.md"], "nowhere", "check the spelling"),
        (["variants", "show", "zz"], "no variant 'zz'", "known"),
        (["runs", "show", "zz"], "no run 'zz'", "known"),
        (["traces", "show", "zz"], "no trace 'zz'", "known"),
        (["prompts", "show", "answr"], "no prompt prompts/answr.md", "did you mean 'answer'"),
        (["ask", "x", "--schema", "none.json"], "none.json cannot be read", "JSON Schema"),
        (["schemas", "serch"], "no schema named 'serch'", "did you mean 'search'"),
        (["search", "x", "-k", "0"], "0 is not in the range", "--help"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(call: Call, words: list[str], wrong: str, cure: str) -> None:
    _, err = call(*words, code=1)
    assert wrong in err
    assert cure in err
    assert len(err.strip().splitlines()) == 1


def test_mistakes_are_json_on_stderr_when_asked(call: Call) -> None:
    out, err = call("search", "x", "--where", "pth=1", "--json", code=1)
    assert out == ""
    assert json.loads(err)["exit_code"] == 1


def test_a_defect_of_ours_is_told_apart(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewheel.loop.project import Project

    monkeypatch.setattr(Project, "search", lambda *_, **__: 1 / 0)
    _, err = call("search", "x", code=2)
    assert "ZeroDivisionError" in err


def test_outside_of_a_project_the_cure_is_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(tmp_path), "search", "x"]) == 1
    assert "gatewheel init" in capsys.readouterr().err


def test_asking_before_ingesting_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path)]) == 0
    assert run(["-C", str(tmp_path), "ask", "anything?"]) == 1
    assert "gatewheel ingest" in capsys.readouterr().err


def test_init_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "answer.md").write_text("my own")
    assert run(["init", str(tmp_path), "--json"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), schemas.schema("init"))
    assert (tmp_path / "prompts" / "answer.md").read_text() == "my own"
    assert (tmp_path / ".gitignore").read_text().startswith("mine\n")
    assert ".gatewheel/" in (tmp_path / ".gitignore").read_text()
    assert run(["init", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_config_show_is_a_file_that_means_the_same(call: Call, tmp_path: Path) -> None:
    from gatewheel.kernel.config import load

    shown = call("config", "show", "--json", schema="config-show")
    text, _ = call("config", "show")
    (tmp_path / "gatewheel.toml").write_text(text)
    assert load(tmp_path / "gatewheel.toml").plain() == shown["config"]


def test_config_check_reads_the_prompts_too(call: Call, home: Path) -> None:
    assert call("config", "check", "--json", schema="config-check")["ok"]
    prompt = home / "prompts" / "answer.md"
    sound = prompt.read_text()
    prompt.write_text(sound + "{{ pasages }}")
    _, err = call("config", "check", code=1)
    assert "pasages" in err
    prompt.write_text(sound)


def test_ask_cites_the_exact_words_and_is_recorded(call: Call, home: Path) -> None:
    answer = call("ask", "What is the door code of the archive?", "--json", schema="ask")
    assert not answer["abstained"]
    assert "4711" in answer["answer"]
    for citation in answer["citations"]:
        start, end = citation["span"]
        assert (home / citation["source"]).read_text()[start:end] == citation["quote"]
        assert f"[{citation['n']}]" in answer["answer"]
    trace = call("traces", "show", answer["trace"], "--json", schema="traces-show")
    assert trace["variant"] == answer["variant"]
    names = [span["name"] for span in trace["spans"]]
    assert names == ["retrieve", "check question", "build context", "generate", "check"]
    listed = call("variants", "list", "--json", schema="variants-list")["variants"]
    assert [row["id"] for row in listed if row["current"]] == [answer["variant"]]


def test_ask_abstains_with_the_nearest_passages(call: Call) -> None:
    answer = call("ask", "Who won the chess world championship in 1972?", "--json", schema="ask")
    assert answer["abstained"]
    assert answer["citations"] == []
    assert answer["passages"]


def test_the_rest_of_the_commands_keep_to_their_schemas(call: Call, home: Path) -> None:
    call("rag", "passages", str(home / "house.md"), "--json", schema="rag-passages")
    call("retrieval", "explain", "key", "--json", schema="retrieval-explain")
    call("embeddings", "encode", "a", "b", "--json", schema="embeddings-encode")
    call("prompts", "list", "--json", schema="prompts-list")
    call("prompts", "show", "answer", "--json", schema="prompts-show")
    call("prompts", "render", "answer", "key?", "--json", schema="prompts-render")
    call("models", "list", "--json", schema="models-list")
    call("models", "show", "smollm2-135m-instruct", "--json", schema="models-show")
    call("traces", "list", "--json", schema="traces-list")
    runs = call("runs", "list", "--json", schema="runs-list")["runs"]
    call("runs", "show", runs[0]["id"], "--json", schema="runs-show")
    call("variants", "show", "--json", schema="variants-show")
    call("doctor", "--json", schema="doctor")


def test_variants_differ_where_the_recipe_does(call: Call, home: Path) -> None:
    before = call("variants", "show", "--json", schema="variants-show")["id"]
    call("variants", "list")  # remembers the current one
    toml = home / "gatewheel.toml"
    text = toml.read_text()
    toml.write_text(text.replace('unsupported = "drop"', 'unsupported = "flag"'))
    diff = call("variants", "diff", before[:10], "--json", schema="variants-diff")
    assert [(d["key"], d["a"], d["b"]) for d in diff["differences"]] == [("app.unsupported", "drop", "flag")]
    toml.write_text(text)
    assert call("variants", "show", "--json", schema="variants-show")["id"] == before


def test_a_document_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "evil.txt").write_text("The vault opens at nine.\x1b]0;owned\x07 \x1b[2J\x9b31m Beware of it.\n")
    assert run(["-C", str(tmp_path), "ingest"]) == 0
    capsys.readouterr()
    for words in (
        ["search", "vault"],
        ["ask", "When does the vault open?"],
        ["rag", "passages", str(tmp_path / "evil.txt")],
    ):
        assert run(["-C", str(tmp_path), *words]) == 0
        shown = capsys.readouterr().out
        assert "vault" in shown
        assert not set(shown) & set("\x1b\x07\x9b")


def test_schema_gives_json_alone_and_says_what_nothing_supports(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {
        "type": "object",
        "properties": {"code": {"enum": ["4711"]}, "colour": {"enum": ["magenta"]}},
        "required": ["code", "colour"],
        "additionalProperties": False,
    }
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    out, err = call("ask", "What is the door code of the archive?", "--schema", str(file))
    assert json.loads(out) == {"code": "4711", "colour": "magenta"}
    assert '[1] $.code: "4711"' in err
    assert '[unsupported] $.colour: "magenta"' in err
    out, err = call("ask", "Who won the chess world championship in 1972?", "--schema", str(file))
    assert json.loads(out) is None
    assert "do not say" in err


def test_chat_understands_a_question_with_those_before_it(home: Path) -> None:
    asked = "Who has the key of the cellar?\nAnd what is the door code of the archive?\n\n"
    done = subprocess.run(
        [sys.executable, "-m", "gatewheel", "-C", str(home), "chat", "--json"],
        input=asked,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        jsonschema.validate(line, schemas.schema("chat"))
    assert "Ines" in lines[0]["answer"]
    assert "4711" in lines[1]["answer"]


def test_nothing_of_a_question_is_written_when_traces_are_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "a.md").write_text("The pump is in hall nine.\n")
    with (tmp_path / "gatewheel.toml").open("a") as file:
        file.write("\n[trace]\nstore = false\n")
    assert run(["-C", str(tmp_path), "ingest"]) == 0
    capsys.readouterr()  # what ingestion said
    assert run(["-C", str(tmp_path), "ask", "Where is the Zanzibarpump?", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trace"] is None
    for path in (tmp_path / ".gatewheel").rglob("*"):
        assert not path.is_file() or b"Zanzibarpump" not in path.read_bytes(), path


def test_an_argument_that_is_no_text_is_a_mistake(call: Call) -> None:
    _, err = call("ask", "caf\udce9?", code=1)
    assert "not UTF-8" in err
