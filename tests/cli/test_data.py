"""`gatewheel data` at the command line: import, check and split keep training and held-out cases apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.data import cases, collecting, splits, suites
from gatewheel.data.cases import identity, split_key
from gatewheel.kernel.nouns import Case

Call = Callable[..., Any]
TABLE = "question,answer\nWho wrote the first program?,Ada Lovelace\nWhen was it printed?,1843\nWhere?,London\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gw.init(tmp_path / "home").close()
    return tmp_path / "home"


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(home)

    def call(*words: str, schema: str = "", code: int = 0) -> Any:
        quick = ["--words-only"] if words[0] in ("import", "check", "split") and "--with-vectors" not in words else []
        words = tuple(word for word in words if word != "--with-vectors")
        assert run(["data", *words, *quick, *(["--json"] if schema else [])]) == code
        out, err = capsys.readouterr()
        if not schema:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(schema))
        return value

    return call


def table(home: Path, text: str = TABLE, name: str = "faq.csv") -> str:
    (home / name).write_text(text)
    return name


def test_a_table_becomes_a_suite(home: Path, call: Call) -> None:
    made = call("import", table(home), "--to", "faq", schema="data-import")
    assert made == {
        "suite": "faq",
        "split": "holdout",
        "cases": 3,
        "added": 3,
        "known": 0,
        "twins": 0,
        "skipped": [],
        "redacted": 0,
    }
    assert (home / "suites" / "faq.toml").read_text() == 'metrics = ["exact-match", "token-f1"]\n'
    suite = suites.load(home, "faq")
    assert suite.cases[0].references == ("Ada Lovelace",)


def test_importing_again_adds_what_is_new_and_changes_nothing_else(home: Path, call: Call) -> None:
    call("import", table(home), "--to", "faq")
    toml, lines = home / "suites" / "faq.toml", home / "suites" / "faq.jsonl"
    toml.write_text('# mine\nmetrics = ["bleu"]\n')
    before = lines.read_bytes()
    more = table(home, TABLE + "Why?,For the engine\n,nobody\n", "more.csv")
    _, err = call("import", more, "--to", "faq", code=1)
    assert "more.csv, line 6: question: is blank" in err
    assert lines.read_bytes() == before
    made = call("import", more, "--to", "faq", "--skip-bad", schema="data-import")
    assert (made["added"], made["known"], made["cases"]) == (1, 3, 4)
    assert made["skipped"] == [
        {"source": "more.csv, line 6", "reason": "question: is blank; ask something, or remove the case"}
    ]
    assert lines.read_bytes().startswith(before)
    assert toml.read_text() == '# mine\nmetrics = ["bleu"]\n'


def test_fields_are_named_on_the_command_line(home: Path, call: Call) -> None:
    name = table(home, "frage;antwort\nWer?;Ada\n")
    out, _ = call("import", name, "--to", "faq", "--field", "question=frage", "--field", "references=antwort")
    assert out == "suite faq: 1 cases added; 1 in all, holdout\n"
    _, err = call("import", name, "--to", "faq", "--field", "frage", code=1)
    assert "--field frage names no column; write --field question=COLUMN" in err


def test_a_case_never_stands_on_both_sides(home: Path, call: Call) -> None:
    call("import", table(home), "--to", "faq", "--split", "holdout")
    _, err = call("import", "faq.csv", "--to", "study", "--split", "train", code=1)
    assert "3 of 3 cases are nearly the same as cases that are held out" in err
    assert not (home / "suites" / "study.toml").exists()
    for path in (home / "suites").glob("faq.*"):
        path.unlink()  # not even when nothing is left of the suite
    _, err = call("import", "faq.csv", "--to", "study", "--split", "train", code=1)
    assert "3 of 3 cases are held out already and cannot be for training" in err
    _, err = call("import", "faq.csv", "--to", "faq", "--split", "train", code=1)
    assert "cannot be for training" in err
    assert suites.names(home) == []


def test_a_case_that_is_nearly_the_same_is_refused_and_told(home: Path, call: Call) -> None:
    call("import", table(home), "--to", "faq")
    near = table(home, "question,answer\nwho wrote the FIRST program,Lovelace\n", "near.csv")
    _, err = call("import", near, "--to", "study", "--split", "train", code=1)
    assert "'who wrote the FIRST program' and 'Who wrote the first program?' of suite faq" in err
    cases.write(home / "suites" / "study.jsonl", [case for case in suites.load(home, "faq").cases[1:]])
    (home / "suites" / "study.toml").write_text('metrics = ["bleu"]\nsplit = "train"\n')
    told = call("check", "study", schema="data-check", code=1)
    assert (told["ok"], told["entered"], told["conflicts"]) == (False, 0, [])
    assert {(row["suite"], row["kind"], row["score"]) for row in told["near"]} == {
        ("faq", "run", 1),
        ("faq", "words", 1),
    }
    out, _ = call("check", "study", code=1)
    assert "2 near to the other side" in out


def test_a_shared_run_of_words_is_told_but_no_fault(home: Path, call: Call) -> None:
    run_ = "the committee that was set up in May to look into the matter of the bees"
    text = "Why did {} never meet again in the years that followed as far as anybody there can tell us now?"
    call("import", table(home, f"question\n{text.format(run_)}\n"), "--to", "faq")
    near = table(
        home, f"question\nHow large was {run_} and who had chosen all of its members before anything?\n", "b.csv"
    )
    told = call("check", "faq", "--against", near, schema="data-check")
    assert (told["ok"], told["near"]) == (True, [])
    [shared] = told["shared"]
    assert (shared["kind"], shared["suite"]) == ("run", "b.csv")
    assert 0 < shared["score"] < 0.5


def test_vectors_find_what_words_do_not(home: Path, call: Call) -> None:
    text = "question,answer\nWhat is the capital city of France?,Paris\n"
    call("import", table(home, text), "--to", "faq")
    near = table(home, "question,answer\nWhat's the capital of France?,Paris\n", "near.csv")
    assert call("check", "faq", "--against", near, schema="data-check")["ok"]
    told = call("check", "faq", "--against", near, "--with-vectors", schema="data-check", code=1)
    assert [row["kind"] for row in told["near"]] == ["vector"]


def test_check_tells_cases_that_went_to_the_other_side(home: Path, call: Call) -> None:
    call("import", table(home), "--to", "faq", "--split", "holdout")
    assert call("check", "faq", schema="data-check")["entered"] == 3
    toml = home / "suites" / "faq.toml"
    toml.write_text(toml.read_text() + 'split = "train"\n')
    told = call("check", "faq", schema="data-check", code=1)
    assert sorted(told["conflicts"]) == sorted(case.id for case in suites.load(home, "faq").cases)
    _, err = call("check", "fqa", code=1)
    assert "did you mean 'faq'" in err


def test_a_suite_is_parted_for_ever(home: Path, call: Call) -> None:
    rows = [
        {"question": f"What does part {number} do?", "answer": "x", "cluster": str(number % 20)} for number in range(60)
    ]
    (home / "parts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    call("import", "parts.jsonl", "--to", "parts")
    made = call("split", "parts", "--train", ".5", schema="data-split")
    assert made == {"suite": "parts", "holdout": 30, "train_suite": "parts-train", "train": 30, "groups": 20}
    held, trained = suites.load(home, "parts"), suites.load(home, "parts-train")
    assert (held.split, trained.split, trained.metrics) == ("holdout", "train", held.metrics)
    assert not {case.cluster for case in held.cases} & {case.cluster for case in trained.cases}
    with gw.open(home) as project:
        stands = splits.of(project.parts.engine, map(split_key, (*held.cases, *trained.cases)))
    assert sorted(stands.values()) == ["holdout"] * 30 + ["train"] * 30
    for suite in ("parts", "parts-train"):
        assert call("check", suite, schema="data-check")["ok"]
    _, err = call("split", "parts", "--train", ".5", code=1)
    assert "all 30 cases of suite parts would be held out, for 30 have their side already; add other cases" in err
    _, err = call("split", "parts-train", "--train", ".5", code=1)
    assert "are for training already" in err


def test_a_split_that_was_stopped_is_finished_by_doing_it_again(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"Question number {number} of ten?,{number}\n" for number in range(10))
    call("import", table(home, f"question,answer\n{rows}"), "--to", "ten")
    (home / "suites" / "ten-train.toml").write_text('# mine\nmetrics = ["bleu"]\nsplit = "train"\ncases = "t.jsonl"\n')
    (home / "suites" / "t.jsonl").write_text('{"question": "Unlike all of them?"}\n')
    whole = {identity(case) for case in suites.load(home, "ten").cases}

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    real = cases.write
    for write in (stop, lambda path, some: real(path, some) if path.name == "t.jsonl" else stop()):
        monkeypatch.setattr(cases, "write", write)
        call("split", "ten", "--train", ".3", code=130)
        assert {identity(case) for case in suites.load(home, "ten").cases} == whole
    monkeypatch.setattr(cases, "write", real)
    assert call("split", "ten", "--train", ".3", schema="data-split")["train"] == 3
    parts = [{identity(case) for case in suites.load(home, name).cases} for name in ("ten", "ten-train")]
    assert parts[0] < whole
    assert len(parts[1] - whole) == 1  # what was there before
    assert parts[0] | parts[1] > whole
    assert not parts[0] & parts[1]
    assert (home / "suites" / "ten-train.toml").read_text().startswith("# mine")


def test_imports_at_the_same_time_lose_nothing(home: Path) -> None:
    def add(number: int) -> None:
        some = [Case(id=str(at), question=f"Is it {at} of batch {number} now?") for at in range(5)]
        collecting.take(home, project.parts.engine, some, name="many", split="holdout", encoder=None)

    with gw.open(home) as project, ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    found = suites.load(home, "many").cases
    assert {case.question for case in found} == {f"Is it {at} of batch {n} now?" for at in range(5) for n in range(16)}


def test_what_hangs_together_altogether_cannot_be_parted(home: Path, call: Call) -> None:
    call("import", table(home, "question,cluster\nA?,x\nB?,x\n"), "--to", "one")
    _, err = call("split", "one", "--train", ".5", code=1)
    assert "would be for training, for they hang together" in err
    assert len(suites.load(home, "one").cases) == 2


def test_check_looks_into_what_a_suite_says_models_were_trained_on(home: Path, call: Call) -> None:
    call("import", table(home), "--to", "faq")
    (home / "suites" / "web.csv").write_text("question\nwho wrote the first program\n", encoding="utf-8")
    toml = home / "suites" / "faq.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + 'trained_on = ["web.csv"]\n', encoding="utf-8")
    told = call("check", "faq", schema="data-check", code=1)
    assert {(row["question"], row["suite"]) for row in told["near"]} == {("Who wrote the first program?", "web.csv")}
    (home / "suites" / "web.csv").unlink()
    told = call("check", "faq", schema="data-check", code=1)
    assert (told["ok"], told["near"]) == (False, [])
    assert told["unread"] == [
        "faq.toml: trained_on: there is no 'web.csv' in suites/; mend the name, or remove it",
    ]
    out, _ = call("check", "faq", code=1)
    assert "unread      faq.toml: trained_on" in out
