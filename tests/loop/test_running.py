"""Long work from the command line: called off before it begins, left behind, and deaf to modules in the folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.loop import running
from gatewheel.loop.project import Project
from stopping import GATEWHEEL, told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gw.init(tmp_path).close()
    (tmp_path / "pump.md").write_text("# Pump\n\nThe pump is in hall nine.\n")
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(words, *told(folder, *words))


def elsewhere(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As `call`, from another process, which stands in the folder."""
    return subprocess.run([*GATEWHEEL, *words], cwd=folder, capture_output=True, text=True, timeout=60)


def queued(folder: Path, *, orphaned: bool) -> str:
    """A run that waits in the ledger, with this process or nobody to answer for it."""
    with gw.open(folder) as project:
        id_ = runs.create(project.parts.engine, "ingest", settings={"paths": [], "fields": {}}, config={})
        if orphaned:
            runs.let_go(project.parts.engine, id_)
    return id_


def test_modules_in_the_folder_of_documents_are_not_executed(folder: Path) -> None:
    for name in ("tokenizers", "openvino", "numpy", "gatewheel"):
        (folder / f"{name}.py").write_text("open('executed', 'w').close()\n")
    done = elsewhere(folder, "ingest", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["documents"] >= 1
    assert not (folder / "executed").exists()


def wait_for_a_run(project: Project) -> None:
    end = time.monotonic() + 30
    while not runs.recent(project.parts.engine):
        assert time.monotonic() < end, "the run never came"
        time.sleep(0.01)


def test_kill_9_before_the_work_begins_leaves_no_run_that_waits_for_ever(folder: Path) -> None:
    with gw.open(folder) as project:
        watcher = subprocess.Popen([*GATEWHEEL, "ingest"], cwd=folder, stderr=subprocess.DEVNULL)
        wait_for_a_run(project)
        watcher.kill()
        watcher.wait()
        [run] = runs.recent(project.parts.engine)
    assert run.state == "interrupted"
    watched = call(folder, "runs", "watch", run.id)
    assert (watched.returncode, f"gatewheel runs resume {run.id}" in watched.stderr) == (1, True)
    resumed = call(folder, "runs", "resume", run.id, "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["state"] == "done"


@pytest.mark.parametrize("after", [0.0, 0.4, 0.8])
def test_ctrl_c_before_the_work_begins_calls_it_off(folder: Path, after: float) -> None:
    with gw.open(folder) as project:
        watcher = subprocess.Popen([*GATEWHEEL, "ingest"], cwd=folder, stderr=subprocess.PIPE)
        wait_for_a_run(project)
        time.sleep(after)
        if watcher.poll() is not None:
            return  # it was quicker
        watcher.send_signal(signal.SIGINT)
        _, err = watcher.communicate(timeout=20)
        [run] = runs.recent(project.parts.engine)
        if run.state == "done":
            assert after, "the signal came when nothing had begun"
            return
        assert watcher.returncode == 130, err
        # the row may be seen just before its watcher knows of it; then it is left behind, not called off
        assert run.state == "cancelled" or (run.state == "interrupted" and not after)
        assert f"gatewheel runs resume {run.id}".encode() in err or run.state == "interrupted"
        assert project.parts.store.totals()[0] == 0
    resumed = call(folder, "runs", "resume", run.id, "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["state"] == "done"


def test_watch_of_a_run_that_nobody_executes_says_how_to_go_on(folder: Path) -> None:
    id_ = queued(folder, orphaned=True)
    watched = call(folder, "runs", "watch", id_)
    assert watched.returncode == 1
    assert watched.stderr.endswith(f"nobody executes run {id_}; run `gatewheel runs resume {id_}`\n")
    resumed = call(folder, "runs", "resume", id_, "--json")
    assert resumed.returncode == 0, resumed.stderr
    watched = call(folder, "runs", "watch", id_, "--json")
    assert (watched.returncode, json.loads(watched.stdout)["state"]) == (0, "done")
    again = call(folder, "runs", "resume", id_)
    assert (again.returncode, again.stderr) == (1, f"gatewheel: run {id_} is done; nothing is left to resume\n")


def test_watch_gives_up_when_the_watcher_of_a_queued_run_is_killed(folder: Path) -> None:
    id_ = queued(folder, orphaned=False)
    watch = subprocess.Popen([*GATEWHEEL, "runs", "watch", id_], cwd=folder, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        watch.wait(timeout=2)
    with gw.open(folder) as project:
        runs.let_go(project.parts.engine, id_)
    _, err = watch.communicate(timeout=20)
    assert watch.returncode == 1
    assert f"gatewheel runs resume {id_}".encode() in err


def test_a_queued_run_is_cancelled_from_another_terminal_and_then_never_begins(folder: Path) -> None:
    id_ = queued(folder, orphaned=False)
    refused = elsewhere(folder, "runs", "resume", id_)
    assert refused.returncode == 1
    assert f"process {os.getpid()} executes run {id_} already" in refused.stderr
    cancelled = elsewhere(folder, "runs", "cancel", id_, "--json")
    assert (cancelled.returncode, json.loads(cancelled.stdout)["state"]) == (0, "cancelled")
    worker = [sys.executable, "-P", "-m", running.WORKER, str(folder), id_]
    assert subprocess.run(worker, timeout=60).returncode == 0
    with gw.open(folder) as project:
        assert runs.get(project.parts.engine, id_).state == "cancelled"
        assert project.parts.store.totals()[0] == 0
    again = elsewhere(folder, "runs", "cancel", id_)
    assert again.returncode == 1
    assert f"run {id_} is cancelled already" in again.stderr
    watched = elsewhere(folder, "runs", "watch", id_, "--json")
    assert (watched.returncode, json.loads(watched.stdout)["state"]) == (0, "cancelled")


def test_a_worker_whose_watcher_is_gone_does_not_begin(folder: Path) -> None:
    id_ = queued(folder, orphaned=True)
    worker = [sys.executable, "-P", "-m", running.WORKER, str(folder), id_]
    assert subprocess.run(worker, timeout=60).returncode == 0
    with gw.open(folder) as project:
        assert runs.get(project.parts.engine, id_).state == "interrupted"


def test_what_waits_in_a_service_is_cancelled_by_another_process_and_never_begins(folder: Path) -> None:
    (folder / "long.md").write_text("\n\n".join(f"# {n}\n\nThe pump {n} is in hall {n}." for n in range(4000)))
    with gw.open(folder) as project:
        background = running.Background(project)
        first, second = background.ingest(), background.ingest()
        eventually(lambda: runs.get(project.parts.engine, first).state == "running", seconds=60)
        assert elsewhere(folder, "runs", "cancel", second).returncode == 0
        background.cancel(first)
        third = background.ingest(["pump.md"])
        eventually(lambda: runs.get(project.parts.engine, third).state == "done", seconds=60)
        found = runs.get(project.parts.engine, second)
        assert (found.state, found.started) == ("cancelled", None)
        background.close()


def test_a_stop_of_the_service_is_no_cancel_and_what_waited_is_told_apart(folder: Path) -> None:
    (folder / "long.md").write_text("\n\n".join(f"# {n}\n\nThe pump {n} is in hall {n}." for n in range(4000)))
    with gw.open(folder) as project:
        background = running.Background(project)
        first, second = background.ingest(), background.ingest()
        eventually(lambda: runs.get(project.parts.engine, first).state == "running", seconds=60)
        assert background.at_work
        assert background.at_work.id == first
        background.close()
        one, two = (runs.get(project.parts.engine, id_) for id_ in (first, second))
        assert (one.state, one.error) == ("interrupted", running.STOPPED)
        assert (two.state, two.error, two.started) == ("interrupted", running.STOPPED_BEFORE, None)
        again = running.Background(project)
        again.resume(second)
        assert runs.get(project.parts.engine, second).error == ""
        eventually(lambda: runs.get(project.parts.engine, second).state == "done", seconds=120)
        again.cancel(first)
        assert runs.get(project.parts.engine, first).state == "cancelled"
        again.close()
