"""An evaluation may be stopped or killed at any moment: what was answered stays, and the next one goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from awaiting import eventually
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.kernel import runs
from gatewheel.kernel.runs import Run
from gatewheel.loop import running
from gatewheel.loop.evaluate import Wanted
from stopping import GATEWHEEL, called, reached

CASES, PARALLEL = 30, 2


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee(seconds=0.2) as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path, endpoint: Examinee) -> Path:
    project(tmp_path, endpoint.url, parallel=PARALLEL)
    suite(tmp_path, numbered(CASES))
    return tmp_path


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = [*GATEWHEEL, "evals", "run", "exam", "--json"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def the_run(folder: Path) -> Run:
    with gw.open(folder) as opened:
        return runs.recent(opened.parts.engine)[0]


def answered(folder: Path) -> int:
    """How many answers are in the store, which is whole."""
    connection = sqlite3.connect(folder / ".gatewheel" / "gatewheel.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    count: int = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    connection.close()
    return count


def assert_finished(folder: Path, endpoint: Examinee, shown: Any, before: int) -> None:
    [report] = shown["reports"]
    assert report["report"]["cases"] == CASES
    assert report["report"]["errors"] == 0
    assert report["metrics"][0]["value"] == 1.0
    asked = Counter(endpoint.asked)
    assert len(asked) == CASES == answered(folder)
    # what was kept is not asked again; what was being asked at that moment is
    assert sum(asked.values()) <= CASES + PARALLEL
    assert before > 0
    assert len(shown["reports"]) == 1


@pytest.mark.parametrize("victim", ["worker", "watcher"])
def test_kill_9_loses_nothing_and_the_next_run_goes_on(folder: Path, endpoint: Examinee, victim: str) -> None:
    watcher = start(folder)
    eventually(lambda: len(endpoint.asked) >= 8, seconds=60)
    worker = the_run(folder).process
    assert worker
    os.kill(worker if victim == "worker" else watcher.pid, signal.SIGKILL)
    watcher.communicate(timeout=60)
    reached(folder, "interrupted")
    before = answered(folder)
    assert before < CASES
    assert_finished(folder, endpoint, called(folder, "evals", "run", "exam"), before)


def test_ctrl_c_cancels_and_resume_finishes(folder: Path, endpoint: Examinee) -> None:
    watcher = start(folder)
    eventually(lambda: len(endpoint.asked) >= 8, seconds=60)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 130, err
    run = the_run(folder)
    assert f"gatewheel runs resume {run.id}".encode() in err
    assert run.state == "cancelled"
    before = answered(folder)
    assert before < CASES
    resumed = called(folder, "runs", "resume", run.id)
    assert (resumed["kind"], resumed["state"]) == ("evaluate", "done")
    found = called(folder, "evals", "run", "exam")
    assert_finished(folder, endpoint, found, before)
    assert found["reports"][0]["report"]["id"] == resumed["result"]["reports"][0]
    assert found["reports"][0]["report"]["run"] == run.id


def test_a_process_that_lives_long_queues_it_and_can_cancel_it(folder: Path, endpoint: Examinee) -> None:
    with gw.open(folder) as opened:
        background = running.Background(opened)
        id_ = background.evaluate([Wanted(suite="exam")])
        eventually(lambda: len(endpoint.asked) >= 4, seconds=60)
        background.cancel(id_)
        reached(folder, "cancelled")
        assert 0 < answered(folder) < CASES
        background.resume(id_)
        reached(folder, "done")
        background.close()
    assert answered(folder) == CASES
