"""A judge at work as a run: stopped while its endpoint thinks, or killed, it goes on and asks nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

import gatewheel as gw
from awaiting import eventually
from examinee import Examinee, examinee
from gatewheel.kernel.store import schema
from gatewheel.loop import probation
from gatewheel.loop.evaluate import Wanted
from judged import court, grading, stars
from stopping import THINKING, called, interrupted, killed, start

ALL = 40 + 2 * 20  # answers, and pairs in both orders


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee(grading(stars)) as one:
        yield one


@pytest.fixture
def home(tmp_path: Path, endpoint: Examinee) -> Path:
    return court(tmp_path, endpoint.url)


def count(folder: Path, table: Any) -> int:
    with gw.open(folder) as opened, opened.parts.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def thinking(endpoint: Examinee, after: int) -> None:
    """From this request on the judge takes a minute."""
    judge = grading(stars)

    def rule(message: str) -> str | int:
        if len([text for text in endpoint.asked if "Judge" in text]) >= after:
            endpoint.seconds = THINKING
        return judge(message)

    endpoint.rule = rule


def test_ctrl_c_is_heard_while_the_judge_thinks_and_its_verdicts_stay(home: Path, endpoint: Examinee) -> None:
    thinking(endpoint, after=6)
    watcher = start(home, "evals", "judge", "helpful")
    eventually(lambda: len(endpoint.requests) >= 7, seconds=60)
    run = interrupted(watcher, home)
    assert (run.kind, run.progress["target"], run.progress["total"]) == ("judge", "judge helpful", 60)
    assert count(home, schema.verdicts) == 6
    assert count(home, schema.probations) == 0
    endpoint.rule, endpoint.seconds = grading(stars), 0.0
    resumed = called(home, "runs", "resume", run.id)
    assert (resumed["state"], resumed["result"]["forgotten"]) == ("done", 0)
    assert len(endpoint.requests) == ALL + 1, "only what was cut off is asked again"


def test_kill_9_and_resume_ask_nothing_twice_and_write_one_record(home: Path, endpoint: Examinee) -> None:
    with gw.open(home) as project:
        probation.measure(project.parts, "helpful")
    endpoint.forget()
    endpoint.seconds = 0.05
    watcher = start(home, "evals", "judge", "helpful", "--again")
    eventually(lambda: len(endpoint.requests) >= 20, seconds=60)
    run = killed(watcher, home)
    endpoint.seconds = 0.0
    assert called(home, "runs", "resume", run.id)["state"] == "done"
    assert len(endpoint.asked) <= ALL + 1, "but what was being asked at that moment"
    assert count(home, schema.probations) == 2


def test_ctrl_c_is_heard_while_a_judge_of_an_evaluation_thinks(home: Path, endpoint: Examinee) -> None:
    thinking(endpoint, after=3)
    watcher = start(home, "evals", "run", "exam")
    eventually(lambda: endpoint.seconds == THINKING, seconds=60)
    eventually(lambda: "Judge" in endpoint.asked[-1], seconds=60)
    run = interrupted(watcher, home)
    assert run.kind == "evaluate"
    assert count(home, schema.verdicts) == 3
    assert count(home, schema.reports) == 0


def test_two_reports_are_compared_as_a_run_that_can_be_stopped(home: Path, endpoint: Examinee) -> None:
    with gw.open(home) as project:
        project.evaluate(Wanted(suite="exam"))
        endpoint.rule = grading(stars, lambda question: question + "*")
        project.evaluate(Wanted(suite="exam", model="other"))
    endpoint.forget()
    thinking(endpoint, after=10)
    watcher = start(home, "evals", "prefer", "helpful", "chat", "other")
    eventually(lambda: len(endpoint.requests) >= 11, seconds=60)
    run = interrupted(watcher, home)
    endpoint.rule, endpoint.seconds = grading(stars), 0.0
    resumed = called(home, "runs", "resume", run.id)
    assert (resumed["result"]["wins"], resumed["result"]["ties"]) == (30, 10)
    assert len(endpoint.requests) == 80 + 1
