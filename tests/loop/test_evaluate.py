"""A suite through a target: nothing is asked twice, a fault is one row, and nothing of it is a trace."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, func, select

import gatewheel as gw
from answering import answer as answer_of
from answering import answers as any_answer
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.data import splits
from gatewheel.embeddings.where import UNSTORABLE
from gatewheel.kernel.errors import Cancelled, ConfigError, ModelError, ProjectError, UserError
from gatewheel.kernel.nouns import Answer, Case, Message, Report
from gatewheel.kernel.store.schema import traces
from gatewheel.loop import answers, reports
from gatewheel.loop.answers import Key
from gatewheel.loop.evaluate import Wanted, evaluate
from gatewheel.loop.progress import Progress
from gatewheel.loop.serving import open_for_serving
from judged import court, grading, stars


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee() as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path, endpoint: Examinee) -> Path:
    return project(tmp_path, endpoint.url)


def run(folder: Path, wanted: Wanted | str = "exam", **watching: Any) -> Report:
    wanted = Wanted(suite=wanted) if isinstance(wanted, str) else wanted
    with gw.open(folder) as opened:
        return evaluate(opened.parts, wanted, **watching)


def values(report: Report, metric: str) -> dict[str, float | None]:
    return {row.case: None if (found := row.values[metric]) is None else found[0] for row in report.rows}


def test_every_case_is_asked_once_and_never_again(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(7))
    first = run(folder)
    assert sorted(endpoint.asked) == [f"q{at}" for at in range(7)]
    assert [row.case for row in first.rows] == [f"c{at}" for at in range(7)]
    assert set(values(first, "exact-match").values()) == {1.0}
    assert run(folder) == first
    assert len(endpoint.asked) == 7
    suite(folder, numbered(8))
    assert run(folder).suite_id != first.suite_id
    assert sorted(endpoint.asked)[-1] == "q7"
    assert len(endpoint.asked) == 8


def test_to_mend_what_is_expected_asks_nothing_but_scores_anew(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(3))
    run(folder)
    endpoint.forget()
    mended = [replace(case, references=("something else",)) for case in numbered(3)]
    suite(folder, mended)
    assert set(values(run(folder), "exact-match").values()) == {0.0}
    assert endpoint.asked == []


def test_cases_that_ask_the_same_share_an_answer(folder: Path, endpoint: Examinee) -> None:
    one = Case(id="one", question="q", references=("answer to q",))
    suite(folder, [one, replace(one, id="other", references=("no",))])
    assert values(run(folder), "exact-match") == {"one": 1.0, "other": 0.0}
    assert endpoint.asked == ["q"]


def test_another_model_is_another_variant(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(2))
    a, b = run(folder), run(folder, Wanted(suite="exam", model="other"))
    assert a.variant != b.variant
    assert a.suite_id == b.suite_id
    assert len(endpoint.asked) == 4


def test_a_case_that_fails_is_a_row_that_counts_as_wrong_and_is_asked_again(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(5))
    endpoint.rule = lambda question: 400 if question == "q3" else f"answer to {question}"
    report = run(folder)
    [failed] = [row for row in report.rows if row.error]
    assert failed.case == "c3"
    assert "refused" in failed.error
    assert values(report, "exact-match")["c3"] == 0.0
    endpoint.forget()
    endpoint.rule = lambda question: f"answer to {question}"
    again = run(folder)
    assert endpoint.asked == ["q3"]
    assert not any(row.error for row in again.rows)
    assert values(again, "exact-match")["c3"] == 1.0


def test_an_endpoint_that_answers_nobody_ends_it_and_what_was_answered_stays(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(40))
    endpoint.rule = lambda question: 503 if int(question[1:]) >= 6 else f"answer to {question}"
    with pytest.raises(ModelError, match=r"none of the last 20 cases was answered.*see to the endpoint"):
        run(folder)
    endpoint.forget()
    endpoint.rule = lambda question: f"answer to {question}"
    assert set(values(run(folder), "exact-match").values()) == {1.0}
    assert len(endpoint.asked) == 34


def test_a_metric_that_breaks_costs_one_number(folder: Path, endpoint: Examinee) -> None:
    (folder / "own_length.py").write_text(
        "def length(case, answer):\n    return 1 / 0 if case.id == 'c1' else float(len(answer.answer))\n"
    )
    with (folder / "gatewheel.toml").open("a") as file:
        file.write('[metric.length]\nuse = "python"\nfunction = "own_length:length"\nhigh = 100\n')
    suite(folder, numbered(3), metrics=["length", "exact-match"])
    report = run(folder)
    assert values(report, "exact-match") == {"c0": 1.0, "c1": 1.0, "c2": 1.0}
    assert values(report, "length") == {"c0": 12.0, "c1": None, "c2": 12.0}
    [broken] = [row for row in report.rows if row.error]
    assert broken.case == "c1"
    assert "metric length" in broken.error


def test_other_settings_of_a_metric_are_another_suite(folder: Path) -> None:
    suite(folder, numbered(2), metrics=["hit"])
    before = run(folder).suite_id
    with (folder / "gatewheel.toml").open("a") as file:
        file.write('[metric.hit]\nuse = "hit"\nk = 3\n')
    assert run(folder).suite_id != before


@pytest.mark.parametrize(
    ("said", "wanted", "wrong"),
    [
        ({"metrics": ["token-f2"]}, Wanted(suite="exam"), "no metric named 'token-f2'; did you mean 'token-f1'"),
        ({}, Wanted(suite="exam", model="chut"), "no \\[model.chut\\]; did you mean 'chat'"),
        ({}, Wanted(suite="exam", app="min"), "no \\[app.min\\]; did you mean 'main'"),
        ({}, Wanted(suite="exams"), "no suite suites/exams.toml; did you mean 'exam'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(
    folder: Path, endpoint: Examinee, said: dict[str, Any], wanted: Wanted, wrong: str
) -> None:
    suite(folder, numbered(2), **said)
    with pytest.raises(UserError, match=wrong):
        run(folder, wanted)
    assert endpoint.asked == []


def test_an_application_without_documents_says_so(folder: Path) -> None:
    suite(folder, numbered(2), app="main")
    with pytest.raises(ProjectError, match="gatewheel ingest"):
        run(folder)


def test_cases_of_a_suite_stand_in_its_split_and_are_refused_in_the_other(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(2))
    run(folder)
    with gw.open(folder) as opened, pytest.raises(UserError, match="held out already"):
        splits.assign(opened.parts.engine, numbered(1), "train")
    suite(folder, numbered(2), name="lesson", split="train")
    endpoint.forget()
    with pytest.raises(UserError, match="held out already and cannot be for training"):
        run(folder, "lesson")
    assert endpoint.asked == []


def test_a_limit_takes_always_the_same_and_a_larger_one_adds(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(30))
    small = {row.case for row in run(folder, Wanted(suite="exam", limit=5)).rows}
    assert len(small) == len(endpoint.asked) == 5
    large = {row.case for row in run(folder, Wanted(suite="exam", limit=12)).rows}
    assert small < large
    assert len(endpoint.asked) == 12
    assert small != {f"c{at}" for at in range(5)}


def test_a_model_sees_examples_history_context_and_lettered_choices(folder: Path, endpoint: Examinee) -> None:
    from gatewheel.data import cases as case_files

    shown = Case(id="s", question="Which is wet?", choices=("sand", "sea"), label="sea")
    case_files.write(folder / "suites" / "shown.jsonl", [shown])
    told = (Message(role="user", content="Hello"), Message(role="assistant", content="Hi"))
    asked = Case(id="c", question="Which?", choices=("no", "yes"), label="yes", context="Say yes.", history=told)
    endpoint.rule = lambda _: "B"
    suite(folder, [asked], metrics=["accuracy"], few_shot=1, examples="shown.jsonl", max_tokens=9)
    assert values(run(folder), "accuracy") == {"c": 1.0}
    [request] = endpoint.requests
    assert [(one["role"], one["content"]) for one in request["messages"]] == [
        ("user", "Which is wet?\nA. sand\nB. sea"),
        ("assistant", "B. sea"),
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Say yes.\n\nWhich?\nA. no\nB. yes"),
    ]
    assert request.get("max_tokens", request.get("max_completion_tokens")) == 9


APPS = """
[app.main]
use = "answer"
mode = "quote"

[app.writing]
use = "answer"
temperature = {temperature}
mode = "draft"
"""
DOOR = "The door code of the archive is 4711. The archive opens at nine."


def test_an_application_answers_from_the_text_of_a_case_and_leaves_no_trace(tmp_path: Path, endpoint: Examinee) -> None:
    project(tmp_path, endpoint.url, more=APPS.format(temperature=0))
    asked = Case(id="c", question="What is the door code of the archive?", context=DOOR, references=("4711",))
    follow = (Message(role="user", content="Tell me of the archive."), Message(role="assistant", content="Gladly."))
    later = replace(asked, id="d", question="When does it open?", history=follow, references=("at nine",))
    suite(tmp_path, [asked, later], app="main", metrics=["inclusion", "hit", "abstention"])
    report = run(tmp_path)
    assert values(report, "inclusion") == {"c": 1.0, "d": 1.0}
    assert not any(row.error for row in report.rows)
    with gw.open(tmp_path) as opened, opened.parts.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(traces)).scalar_one() == 0


@pytest.mark.parametrize(("temperature", "times"), [(0.0, 1), (0.7, 3)])
def test_what_is_sampled_is_asked_again_with_another_seed(
    tmp_path: Path, endpoint: Examinee, temperature: float, times: int
) -> None:
    project(tmp_path, endpoint.url, more=APPS.format(temperature=temperature))
    endpoint.rule = lambda _: "The door code of the archive is 4711."
    asked = Case(id="c", question="What is the door code of the archive?", context=DOOR, references=("4711",))
    suite(tmp_path, [asked], app="writing", repeat=3, metrics=["inclusion"])
    report = run(tmp_path)
    assert [(row.case, row.repeat) for row in report.rows] == [("c", at) for at in range(times)]
    assert sorted(request["seed"] for request in endpoint.requests) == list(range(times))
    assert {row.values["inclusion"] for row in report.rows} == {(1.0,)}


def test_it_tells_how_far_it_is_and_stops_when_wished(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(20))
    told: list[Progress] = []
    with pytest.raises(Cancelled, match="goes on from there"):
        run(folder, on_progress=told.append, cancelled=lambda: told[-1].done >= 4)
    assert 4 <= told[-1].done < 20
    assert told[-1].rate > 0
    before = len(endpoint.asked)
    told.clear()
    report = run(folder, on_progress=told.append)
    assert len(report.rows) == told[-1].done == told[-1].total == 20
    assert told[-1].known >= 4
    assert told[-1].left == 0.0
    assert before <= len(endpoint.asked) <= 20 + 2  # what was being written when it stopped


def test_a_schema_that_a_case_brings_is_asked_for(folder: Path, endpoint: Examinee) -> None:
    schema = {"type": "object", "properties": {"code": {"type": "integer"}}, "required": ["code"]}
    endpoint.rule = lambda _: '{"code": 4711}'
    suite(folder, [Case(id="c", question="q", meta={"schema": schema})], metrics=["json-schema"])
    assert values(run(folder), "json-schema") == {"c": 1.0}
    assert endpoint.requests[0]["response_format"]["json_schema"]["schema"]["required"] == ["code"]


def test_reports_are_found_by_id_and_name_and_read_back_as_they_were(folder: Path) -> None:
    suite(folder, numbered(2, tags=("small",), cluster="doc"))
    made = run(folder)
    with gw.open(folder) as opened:
        engine = opened.parts.engine
        kept = reports.get(engine, made.id[:8])
        assert kept.report == made
        assert kept.cases["c0"].expected == ("answer to q0",)
        assert reports.find(engine, "chat") == reports.find(engine, "model chat") == kept
        said = reports.answer(engine, kept, "c1")
        assert said is not None
        assert said.answer == "answer to q1"
        with pytest.raises(UserError, match="no report 'zz'"):
            reports.find(engine, "zz")
        assert reports.recent(engine, suite="else") == []


def test_a_metric_table_that_is_wrong_is_a_mistake_of_the_file(folder: Path) -> None:
    with (folder / "gatewheel.toml").open("a") as file:
        file.write('[metric.hit]\nuse = "hit"\nk = 0\n')
    suite(folder, numbered(1), metrics=["hit"])
    with pytest.raises(ConfigError, match="k: must be at least 1, got 0"):
        run(folder)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=any_answer())
def test_an_answer_is_kept_as_it_was(engine: Engine, answer: Answer) -> None:
    key = Key(variant="v", corpus="", case=secrets.token_hex(16))
    answers.keep(engine, key, answer)
    found = answers.get(engine, key)
    assert found is not None
    assert found.answer == UNSTORABLE.sub("\ufffd", answer.answer)
    if "\\u0000" not in json.dumps(asdict(answer)):
        assert found == answer


def test_the_first_answer_stands_and_an_error_gives_way(engine: Engine) -> None:
    key = Key(variant="v", corpus="", case=secrets.token_hex(16))
    first, second = answer_of("first"), answer_of("second")
    assert answers.keep(engine, key, None, error="no luck") is None
    assert answers.keep(engine, key, None, error="none again") is None
    assert answers.get(engine, key) is None
    assert answers.keep(engine, key, first) == first
    assert answers.keep(engine, key, second) == first
    assert answers.keep(engine, key, None, error="late") == first
    assert answers.get(engine, key) == first


def test_programs_that_differ_in_indentation_have_an_answer_each(folder: Path, endpoint: Examinee) -> None:
    asked = [f"What prints?\nif x:\n    a()\n{indent}b()" for indent in ("", "    ")]
    suite(folder, [Case(id=str(at), question=text, references=("x",)) for at, text in enumerate(asked)])
    run(folder)
    assert sorted(endpoint.asked) == sorted(asked)


def test_another_expected_answer_or_a_few_other_words_are_no_way_to_the_other_side(
    folder: Path, endpoint: Examinee
) -> None:
    text = "Who was the first to fly alone across the wide sea between the two old lands in one day and one night?"
    held = Case(id="a", question=text, references=("Ada",))
    suite(folder, [held])
    run(folder)
    suite(folder, [replace(held, references=("Eve",), label="x")], name="lesson", split="train")
    endpoint.forget()
    with pytest.raises(UserError, match="held out already and cannot be for training"):
        run(folder, "lesson")
    suite(folder, [replace(held, question=f"{text} Say!")], name="lesson", split="train")
    with pytest.raises(UserError, match="nearly the same as cases that are held out"):
        run(folder, "lesson")
    assert endpoint.asked == []


def test_the_newest_report_is_the_last_one_made(folder: Path) -> None:
    suite(folder, numbered(2))
    first = run(folder)
    suite(folder, numbered(3))
    second = run(folder)
    suite(folder, numbered(2))
    assert run(folder).id == first.id != second.id
    with gw.open(folder) as opened:
        assert [kept.report.id for kept in reports.recent(opened.parts.engine)] == [first.id, second.id]
        assert reports.find(opened.parts.engine, "chat").report.id == first.id


def test_an_application_shows_no_examples_and_says_so(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(1), few_shot=1, examples="shown.jsonl")
    (folder / "suites" / "shown.jsonl").write_text('{"question": "e", "references": ["f"]}\n')
    with pytest.raises(ConfigError, match=r"exam\.toml: few_shot: an application shows no examples"):
        run(folder, Wanted(suite="exam", app="main"))
    assert endpoint.asked == []


def test_text_that_no_store_takes_costs_no_evaluation(folder: Path, endpoint: Examinee) -> None:
    suite(folder, numbered(2))
    endpoint.rule = lambda question: "a lone \ud800 and \0" if question == "q0" else 422
    report = run(folder)
    with gw.open(folder) as opened:
        said = reports.answer(opened.parts.engine, reports.get(opened.parts.engine, report.id), "c0")
    assert said is not None
    assert said.answer == "a lone \ufffd and \ufffd"


def test_what_is_evaluated_is_what_would_be_served(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    with (tmp_path / "gatewheel.toml").open("a") as file:
        file.write('\n[app.quoting]\nuse = "answer"\nmode = "quote"\n')
    suite(tmp_path, [Case(id="c", question="What is the door code of the archive?", context=DOOR)], app="quoting")
    report = run(tmp_path)
    with gw.open(tmp_path) as opened, open_for_serving(opened) as served:
        assert report.variant == served.variant("quoting").id != opened.variant("quoting").id


def test_the_embedded_model_answers_several_cases_at_once(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    suite(
        tmp_path,
        [Case(id=f"c{at}", question=f"What is {at} + 1?") for at in range(3)],
        metrics=["tokens"],
        max_tokens=4,
    )
    report = run(tmp_path)
    assert [row.error for row in report.rows] == ["", "", ""]
    assert all(value and value > 4 for value in values(report, "tokens").values())


def test_a_judge_that_answers_nobody_ends_it_and_what_was_answered_stays(tmp_path: Path, endpoint: Examinee) -> None:
    court(tmp_path, endpoint.url)
    usual = endpoint.rule
    endpoint.rule = lambda message: 503 if "<answer" in message else usual(message)
    with pytest.raises(ModelError, match=r"none of the last 20 cases was scored by helpful: .*503"):
        run(tmp_path)
    assert sum("<answer" in message for message in endpoint.asked) == 20
    endpoint.forget()
    endpoint.rule = grading(stars)
    assert not any(row.error for row in run(tmp_path).rows)
    assert len([message for message in endpoint.asked if "<answer" not in message]) <= 20
