"""`gatewheel evals`: from a suite to a verdict, as text and as JSON that keeps to its schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.cli import progress, schemas
from gatewheel.cli.main import run
from gatewheel.kernel.nouns import Case

Call = Callable[..., Any]
MESSAGE = "\x1b]0;owned\x07 wrong"


def rule(question: str) -> str | int:
    """The model m is right on even numbers, o on all but one; both fail on q9."""
    return 400 if question == "q9" else f"answer to {question}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(rule) as one:
        yield one


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoint: Examinee) -> Path:
    folder = project(tmp_path_factory.mktemp("evals"), endpoint.url)
    cases = [
        Case(
            id=case.id,
            question=case.question,
            references=case.references if at % 2 == 0 else ("else",),
            tags=("even" if at % 2 == 0 else "odd",),
        )
        for at, case in enumerate(numbered(12))
    ]
    suite(folder, cases)
    return folder


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(["-C", str(home), "evals", *words]) == code
        out, err = capsys.readouterr()
        if "--json" not in words or code:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(f"evals-{words[0]}"))
        return value

    return call


def test_before_the_first_report_the_list_says_what_to_do(call: Call) -> None:
    assert call("list", "--json") == {"reports": [], "suites": ["exam"]}
    out, err = call("list")
    assert (out, err) == ("", "No reports yet: gatewheel evals run SUITE. Suites: exam\n")


def test_run_tells_what_it_can_show_then_figures_with_intervals_slices_and_errors(call: Call) -> None:
    out, err = call("run", "exam")
    assert "exact-match, 12 cases: 0.628 (worst case)" in err
    assert "c9: " in err
    assert "refused" in err
    lines = [line.split() for line in out.splitlines()]
    assert ["exact-match", "12", "0.500", "[0.254,", "0.746]"] in lines
    assert ["even", "exact-match", "6", "1.000", "[0.610,", "1.000]"] in lines
    assert "12 cases, 1 failed" in out


def test_run_show_and_list_agree(call: Call, endpoint: Examinee) -> None:
    call("run", "exam")
    endpoint.forget()
    made = call("run", "exam", "--json")
    assert endpoint.asked == ["q9"]  # what failed is tried again, nothing else
    assert {one["metric"] for one in made["can_tell"]} == {"exact-match", "token-f1"}
    [report] = made["reports"]
    shown = call("show", report["report"]["id"][:12], "--json")
    assert shown == report
    assert call("show", "chat", "--json") == report
    [row] = [row for row in shown["rows"] if row["case"] == "c2"]
    assert (row["answer"], row["values"]["exact-match"], row["error"]) == ("answer to q2", [1.0], "")
    [failed] = [row for row in shown["rows"] if row["error"]]
    assert (failed["case"], failed["answer"]) == ("c9", None)
    listed = call("list", "--suite", "exam", "--json")
    assert [one["id"] for one in listed["reports"]] == [report["report"]["id"]]


def test_compare_pairs_by_case_and_shows_both_answers_of_what_flipped(call: Call, endpoint: Examinee) -> None:
    call("run", "exam")
    endpoint.rule = lambda question: MESSAGE if question == "q4" else rule(question)
    made = call("run", "exam", "--model", "other", "--json")
    endpoint.rule = rule
    found = call("compare", "chat", made["reports"][0]["report"]["id"][:8], "--json")
    assert (found["a"]["target"], found["b"]["target"]) == ("model chat", "model other")
    [exact, _] = found["metrics"]
    assert (exact["wins"], exact["losses"], exact["ties"]) == (0, 1, 11)
    assert (exact["verdict"], exact["test"]) == ("inconclusive", "exact McNemar")
    assert exact["cases_needed"] > 0
    assert {row["slice"] for row in found["slices"]} == {"even", "odd"}
    [flip] = found["flips"]
    assert (flip["case"], flip["question"], flip["expected"]) == ("c4", "q4", ["answer to q4"])
    assert (flip["a_answer"], flip["b_answer"]) == ("answer to q4", MESSAGE)
    out, _ = call("compare", "chat", "other", "--metric", "exact-match")
    assert "more cases would settle it" in out
    assert "a exact-match 1.000  answer to q4" in out
    assert "b exact-match 0.000" in out
    assert "token-f1" not in out
    assert "\x1b]" not in out
    assert "\x07" not in out


def test_what_leaked_is_said_with_each_figure_without_it(call: Call, home: Path) -> None:
    made = call("run", "exam", "--json")["reports"][0]
    assert (made["leaks"]["cases"], made["leaks"]["sources"], made["without"]) == (0, [], [])
    web = home / "web.csv"
    web.write_text("question\nQ2\nq3!\n", encoding="utf-8")
    shown = call("show", made["report"]["id"], "--against", str(web), "--json")
    assert {hit["case"] for hit in shown["leaks"]["hits"] if hit["kind"] == "run"} == {"c2", "c3"}
    hits = shown["leaks"]["cases"]
    [exact, _] = shown["without"]
    assert (exact["metric"], exact["every"]["cases"], exact["rest"]["cases"]) == ("exact-match", 12, 12 - hits)
    found = call("compare", "chat", "chat", "--against", str(web), "--json")
    assert {(row["metric"], row["cases"]) for row in found["without"]} == {
        ("exact-match", 12 - hits),
        ("token-f1", 12 - hits),
    }
    out, _ = call("show", "chat", "--against", str(web))
    assert f"{hits} of 12 cases are in the training data too (web.csv; by words and vectors). Without them:" in out
    _, err = call("show", "chat", "--against", str(home / "gone.csv"), code=1)
    assert "gone.csv; name a file of cases" in err


def test_several_targets_are_one_run_and_the_next_step_is_said(call: Call, home: Path) -> None:
    out, _ = call("run", "exam", "--model", "chat", "--model", "other", "--limit", "4")
    assert "Compare them: gatewheel evals compare" in out
    assert out.count("4 cases") == 2


@pytest.mark.parametrize(
    ("words", "wrong", "cure"),
    [
        (["run", "exma"], "no suite suites/exma.toml", "did you mean 'exam'"),
        (["run", "exam", "--app", "min"], "no [app.min]", "did you mean 'main'"),
        (["run", "exam", "--model", "chut"], "no [model.chut]", "did you mean 'chat'"),
        (["run", "exam", "--app", "main"], "no documents are ingested yet", "gatewheel ingest"),
        (["show", "zz"], "no report 'zz'", "known"),
        (["compare", "chat", "zz"], "no report 'zz'", "known"),
        (["compare", "chat", "other", "--metric", "token-f2"], "has no metric 'token-f2'", "did you mean 'token-f1'"),
        (["compare", "chat", "other", "--margin", "2"], "2.0 is not in the range", "--help"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(call: Call, words: list[str], wrong: str, cure: str) -> None:
    _, err = call(*words, code=1)
    assert wrong in err
    assert cure in err.strip().splitlines()[-1]


def test_progress_knows_both_kinds_of_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    now = {"target": "app main", "done": 37, "total": 500, "known": 12, "errors": 1, "rate": 1.8, "left": 257.0}
    with progress.bar(quiet=False) as show:
        show({})
        show(now)
        show({**now, "left": None})
    said = capsys.readouterr().err
    assert "app main: 37/500, 12 known, 1 failed, 1.8/s, about 4 min left" in said
    read = {"files": 1, "total_files": 2, "bytes": 5, "total_bytes": 10, "passages": 3, "current": "a.md"}
    with progress.bar(quiet=False) as show:
        show(read)
        show(read)
    assert "1/2 files" in capsys.readouterr().err
