"""`gatewheel evals models|report`: a table that fits, JSON that keeps to its schema, pages that stand alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import html

from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.cli import schemas
from gatewheel.cli.main import run

Call = Callable[..., Any]
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)> \u202e\x1b]0;owned\x07 & \"so'"
CASES = 12


def rule(question: str) -> str | int:
    if question == "q9":
        return 400
    return f"answer to {question} {HOSTILE}" if question == "q3" else f"answer to {question}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(rule) as one:
        yield one


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoint: Examinee) -> Path:
    more = "".join(
        f'\n[model.{name}]\nuse = "openai"\nmodel = "{name}"\nbase_url = "{endpoint.url}"\n'
        "max_retries = 0\nparallel = 2\n"
        f"input_price = {price}\noutput_price = {price}\n"
        for name, price in (("a-model-with-a-name-that-is-far-too-long-for-a-table", 1.5), ("cheap", 0.01))
    )
    folder = project(tmp_path_factory.mktemp("choosing"), endpoint.url, more=more)
    suite(folder, [replace(case, tags=("<b>odd</b>",) if at % 2 else ()) for at, case in enumerate(numbered(CASES))])
    models = [word for name in ("chat", "cheap") for word in ("--model", name)]
    assert run(["-C", str(folder), "evals", "run", "exam", *models]) == 0
    endpoint.rule = lambda question: HOSTILE if question in ("q1", "q2") else rule(question)
    long = "a-model-with-a-name-that-is-far-too-long-for-a-table"
    assert run(["-C", str(folder), "evals", "run", "exam", "--model", long]) == 0
    endpoint.rule = rule
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


def alone(path: Path) -> Any:
    """A page that was written, once it is known to load and run nothing."""
    text = path.read_text(encoding="utf-8")
    page = html.fromstring(text)
    assert page.xpath("//script | //img | //link | //iframe | //object | //form") == []
    assert page.xpath("//@*[starts-with(name(), 'on')] | //@src | //@style") == []
    assert all(href.startswith("https://") for href in page.xpath("//@href"))
    [policy] = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"url\(|@import", text)
    assert "\x1b" not in text
    assert len(page.xpath("//style")) == 1
    ids = page.xpath("//@id")
    assert len(set(ids)) == len(ids)
    return page


def test_candidates_are_a_table_of_at_most_100_columns_with_what_is_missing(call: Call) -> None:
    out, _ = call("models", "exam")
    lines = out.splitlines()
    table = [line for line in lines[1 : lines.index("")]]
    assert len(table) == 4
    assert max(map(len, table)) <= 100
    assert "1 model chat" in table[1]
    assert "a-model-with-a-name-" not in table[3]
    assert "83.3% [55.2, 95.3]" in out
    assert "★ nothing surely beats it on exact-match and price" in out
    assert "write input_price and output_price into [model.chat]" in out
    assert "no report: model other: gatewheel evals run exam --model other" in out
    assert "commercial use conditions" in out


def test_candidates_as_json_keep_to_their_schema(call: Call) -> None:
    found = call("models", "exam", "--cost", "seconds", "--metric", "token-f1", "--json")
    assert (found["cost"], found["metric"], len(found["candidates"])) == ("seconds", "token-f1", 3)
    assert found["bounds"] == [0, 1]
    assert found["candidates"][0]["speed"]["answers"] == CASES - 1


def test_candidates_as_a_page_with_the_plot_and_the_table(call: Call, tmp_path: Path) -> None:
    out, err = call("models", "exam", "--html", str(tmp_path / "models.html"))
    assert "candidate" in out
    assert "models.html" in err
    page = alone(tmp_path / "models.html")
    assert len(page.xpath("//svg[@role='img']")) == 2  # a wide one and a narrow one
    assert len(page.xpath("//svg//circle")) == 4  # chat has no price
    rows = page.xpath("//table[contains(@class, 'figures')]/tbody/tr")
    assert rows[0].xpath("string(th/bdi)") == "model chat"
    assert "gatewheel evals models exam --metric exact-match --cost price" in page.text_content()


def test_a_report_is_a_page_with_figures_slices_scores_errors_cases_and_where_it_comes_from(
    call: Call, tmp_path: Path
) -> None:
    _, err = call("report", "chat", "--html", str(tmp_path / "one.html"))
    assert "kB" in err
    page = alone(tmp_path / "one.html")
    text = " ".join(page.text_content().split())
    assert page.xpath("string(//h1)").strip() == "exam"
    assert [title.text for title in page.xpath("//h2")] == [
        "Figures",
        "Slices by exact-match",
        "Scores of cases",
        "Errors",
        "Cases",
        "Where it comes from",
    ]
    assert "83.3% [55.2, 95.3]" in text
    assert "gatewheel evals run exam --model chat" in text
    assert "refused" in text
    assert "answer to q3 </style><script>alert(1)</script><img src=x onerror=alert(2)>" in text
    assert "<b>odd</b>" in text
    shown = call("show", "chat", "--json")["report"]
    for key in ("id", "suite_id", "variant"):
        assert shown[key] in text
    assert len(page.xpath("//li[@class='case']")) == CASES


def test_reports_side_by_side_tell_verdicts_and_the_words_that_differ(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "two.html"
    long = "a-model-with-a-name-that-is-far-too-long-for-a-table"
    made = call("report", "cheap", long, "--html", str(path), "--json")
    assert (made["path"], made["cases"], made["of"], len(made["reports"])) == (str(path), 2, 2, 2)
    assert made["size"] == path.stat().st_size
    page = alone(path)
    text = " ".join(page.text_content().split())
    assert page.xpath("//span[contains(@class, 'verdict')]")
    assert "0, 2, 10" in text  # won, lost, alike
    cases = page.xpath("//li[@class='case']")
    assert [one.xpath("string(h3)") for one in cases] == ["q1", "q2"]
    assert "What B has otherwise than A" in text
    assert "model.model" in text


def test_a_page_of_many_cases_is_cut_with_a_note(call: Call, tmp_path: Path) -> None:
    call("report", "chat", "--cases", "3", "--html", str(tmp_path / "cut.html"))
    page = alone(tmp_path / "cut.html")
    assert len(page.xpath("//li[@class='case']")) == 3
    assert f"Shown are 3 of {CASES}" in page.text_content()


def test_a_very_long_answer_is_cut_with_a_note(call: Call, endpoint: Examinee, tmp_path: Path) -> None:
    endpoint.rule = lambda _: "word " * 3000
    call("run", "exam", "--model", "other", "--limit", "1")
    endpoint.rule = rule
    call("report", "other", "--html", str(tmp_path / "long.html"))
    page = alone(tmp_path / "long.html")
    assert "more characters" in page.text_content()
    assert (tmp_path / "long.html").stat().st_size < 100_000


@pytest.mark.parametrize(
    ("words", "wrong", "cure"),
    [
        (["models", "exma"], "no suite suites/exma.toml", "did you mean 'exam'"),
        (["models", "exam", "--metric", "exact"], "has no metric 'exact'", "did you mean 'exact-match'"),
        (["models", "exam", "--html", "/nowhere/x.html"], "/nowhere/x.html cannot be written", "name a file"),
        (["report", "zz"], "no report 'zz'", "known"),
        (["report", "chat", "--metric", "nothing"], "no metric 'nothing'", ""),
        (["report", *["chat"] * 7], "7 reports are more than can be told apart", "at most 6"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(call: Call, words: list[str], wrong: str, cure: str) -> None:
    _, err = call(*words, code=1)
    assert wrong in err
    assert cure in err.strip().splitlines()[-1]


def test_what_a_model_was_trained_on_is_looked_through_and_told(call: Call, tmp_path: Path) -> None:
    seen = [{"question": f"q{at}", "references": [f"answer to q{at}"]} for at in range(4)]
    (tmp_path / "seen.jsonl").write_text("".join(json.dumps(case) + "\n" for case in seen), encoding="utf-8")
    call("report", "cheap", "--against", str(tmp_path / "seen.jsonl"), "--html", str(tmp_path / "leaks.html"))
    text = " ".join(alone(tmp_path / "leaks.html").text_content().split())
    assert f"4 of {CASES} cases stand in the training data as well" in text
    assert "What they add" in text
