"""The ledger of runs says truly what became of each, also of one whose process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gatewheel.kernel import durable, runs
from gatewheel.kernel.errors import Cancelled, GatewheelError, UserError
from gatewheel.kernel.store.database import open_database


def made(engine: Engine, **settings: object) -> str:
    return runs.create(engine, "ingest", settings=settings, config={"a": 1})


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_run_goes_through_its_states(engine: Engine) -> None:
    id_ = made(engine, paths=["a"])
    run = runs.get(engine, id_)
    assert (run.state, run.settings, run.config, run.progress) == ("queued", {"paths": ["a"]}, {"a": 1}, {})
    assert run.started is run.ended is run.result is None
    assert run.process == os.getpid()
    assert runs.begin(engine, id_)
    run = runs.get(engine, id_)
    assert (run.state, run.process) == ("running", os.getpid())
    runs.change(engine, id_, progress={"files": 1})
    runs.end(engine, id_, "done", result={"n": 2})
    run = runs.get(engine, id_)
    assert (run.state, run.result, run.progress, run.process) == ("done", {"n": 2}, {"files": 1}, None)
    assert run.created <= (run.started or 0) <= (run.ended or 0)


def test_a_run_whose_process_died_is_interrupted_and_can_be_taken_up_again(engine: Engine) -> None:
    id_ = made(engine)
    runs.begin(engine, id_)
    runs.change(engine, id_, process=dead_process())
    assert runs.get(engine, id_).state == "interrupted"
    assert [run.state for run in runs.recent(engine)] == ["interrupted"]
    runs.claim(engine, id_)
    assert runs.get(engine, id_).state == "queued"
    assert runs.begin(engine, id_)
    assert runs.get(engine, id_).state == "running"


def test_a_queued_run_whose_watcher_died_is_interrupted(engine: Engine) -> None:
    killed, left = made(engine), made(engine)
    runs.change(engine, killed, process=dead_process())
    runs.let_go(engine, left)
    for id_ in (killed, left):
        assert runs.get(engine, id_).state == "interrupted"
        runs.claim(engine, id_)
        assert runs.get(engine, id_).state == "queued"


def test_a_run_that_was_called_off_is_never_begun(engine: Engine) -> None:
    id_ = made(engine)
    assert runs.call_off(engine, id_)
    assert not runs.begin(engine, id_)
    assert runs.get(engine, id_).state == "cancelled"
    assert not runs.call_off(engine, id_)
    runs.claim(engine, id_)
    assert runs.begin(engine, id_)
    assert not runs.begin(engine, id_), "nor twice"
    assert not runs.call_off(engine, id_)
    runs.let_go(engine, id_)
    assert runs.get(engine, id_).state == "running"


def test_a_run_is_claimed_by_one_alone_and_never_when_done(engine: Engine) -> None:
    id_ = made(engine)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        born = runs._born(other.pid)
        for state in ("queued", "running"):
            runs.change(engine, id_, state=state, process=other.pid, born=born)
            with pytest.raises(UserError, match=f"process {other.pid} executes run {id_} already; .*runs watch {id_}"):
                runs.claim(engine, id_)
    runs.claim(engine, id_)
    runs.end(engine, id_, "done", result=1)
    with pytest.raises(UserError, match=f"run {id_} is done; nothing is left"):
        runs.claim(engine, id_)
    assert runs.get(engine, id_).result == 1


def test_a_killed_process_that_nobody_has_asked_for_is_dead(engine: Engine) -> None:
    id_ = made(engine)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        runs.change(engine, id_, state="running", process=other.pid, born=runs._born(other.pid))
        assert runs.get(engine, id_).state == "running"
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it stays in the table of processes
        assert runs.get(engine, id_).state == "interrupted"


def test_runs_are_found_by_the_beginning_of_their_id(engine: Engine) -> None:
    with pytest.raises(UserError, match="no run 'x'; known: none"):
        runs.get(engine, "x")
    ids = [made(engine) for _ in range(3)]
    for id_ in ids:
        assert runs.get(engine, id_[:-1]).id == id_
    with pytest.raises(UserError, match=f"'{ids[0][:8]}' begins 3 runs"):
        runs.get(engine, ids[0][:8])
    with pytest.raises(UserError, match="no run '%'"):
        runs.get(engine, "%")
    with pytest.raises(UserError, match=f"did you mean '{ids[1]}'"):
        runs.get(engine, f"{ids[1]}0")


def test_recent_gives_the_newest_first_and_no_more_than_asked(engine: Engine) -> None:
    ids = [made(engine) for _ in range(4)]
    for at, id_ in enumerate(ids):
        runs.change(engine, id_, created=float(at))
    assert [run.id for run in runs.recent(engine, limit=3)] == ids[:0:-1]


def test_stopping_a_run_that_does_not_run_cancels_it_and_one_that_ended_stays(engine: Engine) -> None:
    queued, killed, done = made(engine), made(engine), made(engine)
    runs.begin(engine, killed)
    runs.change(engine, killed, process=dead_process())
    runs.end(engine, done, "done", result=1)
    for id_ in (queued, killed, done):
        durable.stop(engine, id_)
    assert [runs.get(engine, id_).state for id_ in (queued, killed, done)] == ["cancelled", "cancelled", "done"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    same = pytest.raises(UserError, match="another run is at work")
    with durable.exclusive(tmp_path / "a"), durable.exclusive(tmp_path / "b"), same, durable.exclusive(tmp_path / "a"):
        pass
    with durable.exclusive(tmp_path / "a"):
        pass


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    from dbos import DBOS

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    engine = open_database(tmp_path / ".gatewheel")
    yield engine
    engine.dispose()
    DBOS.destroy()


def perform(engine: Engine, root: Path, id_: str) -> runs.Run:
    return durable.perform(engine, id_, root=root, worker="sleeper", on_progress=lambda _: None)


def test_a_run_is_performed_by_a_process_of_its_own(project: Engine, tmp_path: Path) -> None:
    id_ = made(project, then="end")
    run = perform(project, tmp_path, id_)
    assert (run.state, run.result, run.progress) == ("done", {"files": 3}, {"files": 3})
    failed = made(project, then="fail")
    with pytest.raises(UserError, match=r"^the valve is shut; open it$"):
        perform(project, tmp_path, failed)
    assert runs.get(project, failed).state == "failed"


def test_a_run_whose_worker_never_began_is_interrupted_and_the_folder_may_bear_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbos import DBOS

    monkeypatch.chdir(tmp_path)
    root = tmp_path / "what? 100%20#1"
    engine = open_database(root / ".gatewheel")
    id_ = made(engine)
    with pytest.raises(GatewheelError, match="ended without a result"):
        durable.perform(engine, id_, root=root, worker="no_such_module")
    assert runs.get(engine, id_).state == "interrupted"
    assert (root / ".gatewheel" / "runs.db").is_file()
    assert list(tmp_path.iterdir()) == [root]
    engine.dispose()
    DBOS.destroy()


def test_a_killed_run_is_interrupted_and_goes_on_when_resumed(project: Engine, tmp_path: Path) -> None:
    id_ = made(project, then="die")
    with pytest.raises(GatewheelError, match=r"ended without a result: its process died; see .*log.txt"):
        perform(project, tmp_path, id_)
    assert runs.get(project, id_).state == "interrupted"
    runs.change(project, id_, settings={"then": "end"})
    assert perform(project, tmp_path, id_).state == "done"
    assert (tmp_path / "began").read_text() == "xx"


def test_a_running_run_is_cancelled_from_elsewhere(project: Engine, tmp_path: Path) -> None:
    id_ = made(project, then="wait")

    def cancel() -> None:
        while runs.get(project, id_).state != "running":
            time.sleep(0.02)
        durable.stop(project, id_)

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(Cancelled, match=f"gatewheel runs resume {id_}"):
        perform(project, tmp_path, id_)
    other.join()
    run = runs.get(project, id_)
    assert (run.state, run.process) == ("cancelled", None)
