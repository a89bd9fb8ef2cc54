"""A gate as a run: killed at any moment and taken up again it says the same, and writes it down once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import gatewheel as gw
from awaiting import eventually
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.kernel import runs
from gatewheel.kernel.runs import Run
from gatewheel.kernel.store.schema import reports
from gatewheel.loop import gating, running
from gatewheel.loop.gating import Asked
from gatewheel.ops import releases
from gatewheel.ops.releases import Release
from stopping import GATEWHEEL, reached, told

CASES = 24
# an application asks the endpoint for what it reads from documents, so each answer costs a request
GATE = """
[sources]
paths = ["notes.md"]

[app.main]
use = "answer"
model = "chat"

[app.other]
use = "answer"
model = "other"

[checker.main]
use = "grounding"
support = 0.0
answerability = 0.0

[gate.main]
suite = "exam"
better = { seconds = 0.0 }
not_worse = { token-f1 = 0.5 }
"""


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee(lambda _: "The wheel turns.", seconds=0.1) as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path, endpoint: Examinee) -> Path:
    project(tmp_path, endpoint.url, more=GATE)
    (tmp_path / "notes.md").write_text("# Wheel\n\nThe wheel turns. It has six stations.\n", encoding="utf-8")
    suite(tmp_path, numbered(CASES), app="main", metrics=["token-f1", "seconds"])
    with gw.open(tmp_path) as opened:
        opened.ingest()
    return tmp_path


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = [*GATEWHEEL, "gate", "other", "--json"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def the_run(folder: Path) -> Run:
    with gw.open(folder) as opened:
        return runs.recent(opened.parts.engine)[0]


def history(folder: Path) -> list[Release]:
    with gw.open(folder) as opened:
        return releases.history(opened.parts.engine)


def called(folder: Path, *words: str) -> Any:
    _, out, err = told(folder, *words, "--json")
    return json.loads(out or err)


@pytest.mark.parametrize("victim", ["worker", "watcher"])
def test_kill_9_and_resume_give_the_same_decision_and_one_row(folder: Path, endpoint: Examinee, victim: str) -> None:
    watcher = start(folder)
    eventually(lambda: len(endpoint.requests) >= 30, seconds=60)
    run = the_run(folder)
    assert (run.kind, run.state) == ("gate", "running")
    assert run.process
    os.kill(run.process if victim == "worker" else watcher.pid, signal.SIGKILL)
    watcher.communicate(timeout=60)
    reached(folder, "interrupted", "cancelled")
    assert history(folder) == []

    asked = len(endpoint.requests)
    resumed = called(folder, "runs", "resume", run.id)
    assert (resumed["state"], resumed["result"]["row"]) == ("done", 1)
    assert len(endpoint.requests) - asked <= 2 * CASES - asked + 4, "what was answered is not asked again"
    decided = gating.decided_of(resumed["result"])
    [row] = history(folder)
    assert (row.action, row.reason["outcome"]) == ("gate", decided.decision.outcome)
    if victim == "watcher":
        return
    again = called(folder, "gate", "other")
    assert (again["outcome"], again["row"], again["reports"]) == (decided.decision.outcome, 1, list(decided.reports))
    assert [one["text"] for one in again["reasons"]] == [one.text for one in decided.decision.reasons]
    assert history(folder) == [row]


def test_ctrl_c_cancels_and_nothing_is_decided(folder: Path, endpoint: Examinee) -> None:
    watcher = start(folder)
    eventually(lambda: len(endpoint.requests) >= 8, seconds=60)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=60)
    run = the_run(folder)
    assert (watcher.returncode, run.state) == (130, "cancelled")
    assert f"gatewheel runs resume {run.id}".encode() in err
    assert run.progress["target"].split()[0] in ("candidate", "incumbent")
    assert history(folder) == []


def test_the_looks_of_a_run_that_was_cut_short_are_not_left_behind(folder: Path, endpoint: Examinee) -> None:
    toml = folder / "gatewheel.toml"
    text = toml.read_text(encoding="utf-8").replace("better = { seconds = 0.0 }\n", "sequential = true\nstep = 4\n")
    toml.write_text(text.replace("token-f1 = 0.5", "token-f1 = 0.01"), encoding="utf-8")
    with gw.open(folder) as opened:
        background = running.Background(opened)
        id_ = background.gate(Asked(candidate="other", author="ada"))
        engine = opened.parts.engine

        def made() -> list[str]:
            with engine.connect() as connection:
                return list(connection.execute(select(reports.c.id).where(reports.c.run == id_)).scalars())

        eventually(lambda: len(made()) >= 2, seconds=60)
        background.cancel(id_)
        reached(folder, "cancelled")
        background.resume(id_)
        reached(folder, "done")
        background.close()
        decided = gating.decided_of(runs.get(engine, id_).result)
        assert set(made()) == set(decided.reports)
        [row] = releases.history(engine)
        assert (row.author, row.number) == ("ada", decided.row)


def test_what_is_wrong_is_told_before_anything_is_queued(folder: Path) -> None:
    assert called(folder, "gate", "nobody")["error"] == "no variant 'nobody'"
    assert called(folder, "gate", "other", "--gate", "mian")["cure"] == "did you mean 'main'?"
    with gw.open(folder) as opened:
        assert runs.recent(opened.parts.engine) == []
