"""An ingestion may be stopped or killed at any moment: the index stays consistent and the next run goes on."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

import gatewheel as gw
from gatewheel.kernel.durable import exclusive
from gatewheel.kernel.store.schema import vectors
from stopping import GATEWHEEL, called, told

NOTES = 28  # of 30 passages each, so that with the first batch of 512 written there is a second to be killed in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gw.init(tmp_path).close()
    config = tmp_path / "gatewheel.toml"
    config.write_text(config.read_text().replace("[chunker.main]", "[chunker.main]\ntokens = 64"))
    chooser = random.Random(7)
    words = "the gate of a wheel will run its model and answer a question from one passage".split()
    for number in range(NOTES):
        paragraphs = [f"{chooser.random()} " + " ".join(chooser.choices(words, k=30)) + "." for _ in range(30)]
        (tmp_path / f"note{number:02}.md").write_text(f"# Note {number}\n\n" + "\n\n".join(paragraphs))
    return tmp_path


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*GATEWHEEL, "-C", str(folder), "ingest", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def worker_of(folder: Path) -> int:
    """The process that does the work, once it has written something."""
    end = time.monotonic() + 60
    with gw.open(folder) as project:
        while time.monotonic() < end:
            runs = [run for run in _runs(project) if run["state"] == "running"]
            with project.parts.engine.connect() as connection:
                written = connection.execute(select(func.count()).select_from(vectors)).scalar_one()
            if runs and runs[0]["process"] and written:
                return int(runs[0]["process"])
            time.sleep(0.05)
    raise AssertionError("the ingestion never began")


def _runs(project: object) -> list[dict[str, object]]:
    from dataclasses import asdict

    from gatewheel.kernel import runs

    return [asdict(run) for run in runs.recent(project.parts.engine)]  # type: ignore[attr-defined]


def assert_consistent(folder: Path) -> None:
    connection = sqlite3.connect(folder / ".gatewheel" / "gatewheel.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.execute("INSERT INTO passages_fts(passages_fts) VALUES ('integrity-check')")
    read = "SELECT count(*) FROM documents JOIN files ON files.id = file_id WHERE files.sha256 != ''"
    cut = "SELECT count(DISTINCT document_id) FROM passages"
    whole = connection.execute(read).fetchone()[0]
    assert connection.execute(cut).fetchone()[0] >= whole
    connection.close()


def ingested(folder: Path) -> dict[str, int]:
    result: dict[str, int] = called(folder, "ingest")
    return result


@pytest.mark.parametrize("victim", ["worker", "watcher"])
def test_kill_9_loses_nothing_and_the_next_run_goes_on(folder: Path, victim: str) -> None:
    watcher = start(folder)
    worker = worker_of(folder)
    os.kill(worker if victim == "worker" else watcher.pid, signal.SIGKILL)
    watcher.communicate(timeout=60)
    _gone(worker)
    assert_consistent(folder)
    with gw.open(folder) as project:
        before = project.parts.store.totals()[0]
    result = ingested(folder)
    assert result["documents"] == NOTES
    assert result["unchanged"] + result["added"] == NOTES
    assert result["unchanged"] > 0 or before == 0
    assert_consistent(folder)


def test_ctrl_c_cancels_and_resume_finishes(folder: Path) -> None:
    watcher = start(folder)
    worker_of(folder)
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 130, err
    assert b"resume" in err
    assert_consistent(folder)
    with gw.open(folder) as project:
        [run] = _runs(project)
    assert run["state"] == "cancelled"
    assert called(folder, "runs", "resume", str(run["id"]))["state"] == "done"
    with gw.open(folder) as project:
        assert project.parts.store.totals()[0] == NOTES


def test_a_second_ingestion_at_once_is_refused_with_the_cure(folder: Path) -> None:
    with exclusive(folder / ".gatewheel"):
        code, _, err = told(folder, "ingest")
    assert code == 1
    assert "another run is at work" in err


def _gone(process: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the worker outlived its watcher")
