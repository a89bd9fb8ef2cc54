"""Jobs of the tuning API whose service ended: taken up again, but not for ever, and published without learning anew."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
from sqlalchemy import text

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import durable, runs
from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller
from gatewheel.loop import adding, client_files, running, taking_up, tuned_models, tuning, tuning_jobs
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.project import Project
from gatewheel.loop.running import Background
from gatewheel.models import adapters
from gatewheel.models.dense import open_dense
from gatewheel.models.exporting import export

JOB = {"model": "chat", "base": "chat", "file": "file-0", "suffix": "s", "open": True, "metadata": {}}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    dense = open_dense(tiny_llama.folder(tmp_path / "base"))
    export(dense, tmp_path / "base.gguf", kind="F32")
    adapters.write(tiny_llama.adapter(dense.shape), tmp_path / "theirs")
    gw.init(tmp_path).close()
    toml = f'[encoder.main]\nuse = "none"\n[model.chat]\nuse = "llama.cpp"\nweights = "{tmp_path}/base.gguf"\n'
    (tmp_path / CONFIG_FILE).write_text(toml + '[app.main]\nuse = "direct"\nprompt = "answer"\n')
    with gw.open(tmp_path) as opened:
        yield opened


def job(project: Project, **values: Any) -> str:
    """A job as a service leaves it that was killed while it was at work, unless `values` say otherwise."""
    settings = {"data": "file-0", "app": "", "base": "chat", "payer": "", "job": JOB}
    made = runs.create(project.parts.engine, "finetune", settings=settings, config={})
    runs.change(project.parts.engine, made, **{"state": "running", "started": 1.0, "process": 2**22 + 1, **values})
    return made


def test_what_is_killed_again_and_again_without_a_step_more_fails_with_the_reason(project: Project) -> None:
    engine, background = project.parts.engine, Background(project)
    background.close()  # what it takes up waits for the next service
    id_ = job(project)
    dead = {"state": "running", "started": 1.0, "process": 2**22 + 1, "error": ""}
    for _ in range(taking_up.TRIES - 1):
        assert taking_up.again(background, project, id_)
        eventually(lambda: runs.get(engine, id_).error == running.STOPPED_BEFORE)
        assert taking_up.again(background, project, id_), "to wait for its turn is no try"
        eventually(lambda: runs.get(engine, id_).error == running.STOPPED_BEFORE)
        runs.change(engine, id_, **dead)
    points = Notebook(project.config.state, id_, "points")
    points.keep("learning 1", {"step": 1, "at": 2.0})
    taking_up.again(background, project, id_)
    eventually(lambda: runs.get(engine, id_).error == running.STOPPED_BEFORE)
    for attempt in range(taking_up.TRIES):
        runs.change(engine, id_, **{**dead, "started": 3.0 + attempt})
        points.keep("learning 1", {"step": 1, "at": 3.5 + attempt})  # once more, from the checkpoint before it
        taking_up.again(background, project, id_)
        eventually(lambda: runs.get(engine, id_).error == running.STOPPED_BEFORE)
    for _ in range(taking_up.TRIES):
        runs.change(engine, id_, **{**dead, "started": 9.0})
        taking_up.again(background, project, id_)
    eventually(lambda: runs.get(engine, id_).state == "failed")
    assert "was killed 3 times without a step between" in runs.get(engine, id_).why


def test_what_learns_the_same_steps_for_ever_fails_too(project: Project) -> None:
    engine, background, id_ = project.parts.engine, Background(project), job(project)
    background.close()
    Notebook(project.config.state, id_, "points").keep("learning 1", {"step": 1, "at": 2.0})
    for _ in range(taking_up.MOST):
        assert runs.get(engine, id_).state == "interrupted"
        runs.change(engine, id_, state="running", started=1.0, process=2**22 + 1, error="")
        taking_up.again(background, project, id_)
        eventually(lambda: runs.get(engine, id_).error != "")
    assert "was killed 10 times without a step that was new" in runs.get(engine, id_).why


def test_jobs_go_on_in_their_order_and_a_store_that_fails_is_asked_again(project: Project) -> None:
    engine, background, closing = project.parts.engine, Background(project), threading.Event()
    background.close()
    first, second = job(project, process=os.getpid(), born=None), job(project)
    runs.change(engine, first, born=runs._born(os.getpid()))  # as the worker of the service that was killed
    go = threading.Thread(
        target=taking_up.go_on, args=(background, project, [first, second]), kwargs={"closing": closing}
    )
    go.start()
    time.sleep(taking_up.LOOK / 2)
    assert runs.get(engine, second).error == "", "the one before it is still at work"
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE runs RENAME TO gone"))
    time.sleep(taking_up.LOOK)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO runs"))
    runs.change(engine, first, process=2**22 + 1)
    for id_ in (first, second):
        eventually(partial(_left_before_its_turn, project, id_))
    go.join(10)
    assert not go.is_alive()


def test_a_job_waits_while_another_process_is_at_work_and_may_be_paused_then(project: Project) -> None:
    state, background = project.config.state, Background(project)
    wanted = tuning.Wanted(data="file-000000000000000000000000", app="", base="chat")
    with durable.exclusive(state):
        ids = [background.finetune(wanted, job=JOB) for _ in range(2)]
        for id_ in ids:
            eventually(partial(_is_at_the_lock, id_), seconds=60)
            time.sleep(0.3)
            assert runs.get(project.parts.engine, id_).state == "queued"
            if id_ == ids[0]:
                background.pause(id_)
                eventually(lambda: ids[0] not in durable._children)
    eventually(lambda: runs.get(project.parts.engine, ids[1]).state == "failed", seconds=60)
    assert "there is no file" in runs.get(project.parts.engine, ids[1]).why, "it got its turn"
    assert tuning_jobs.is_paused(runs.get(project.parts.engine, ids[0]))
    background.close()


def _left_before_its_turn(project: Project, id_: str) -> bool:
    return runs.get(project.parts.engine, id_).error == running.STOPPED_BEFORE


def _is_at_the_lock(id_: str) -> bool:
    child = durable._children.get(id_)
    opened = Path(f"/proc/{child.pid}/fd").iterdir() if child else ()
    return any(_leads_to(one) == "run.lock" for one in opened)


def _leads_to(descriptor: Path) -> str:
    with contextlib.suppress(FileNotFoundError):  # closed since it was listed
        return descriptor.readlink().name
    return ""


@pytest.mark.parametrize("said", [{"state": "cancelled"}, {"state": "interrupted", "error": running.PAUSED}], ids=str)
def test_what_its_client_says_meanwhile_holds(project: Project, said: dict[str, str]) -> None:
    background, id_ = Background(project), job(project, state="interrupted", error=running.STOPPED, process=None)
    seen = runs.get(project.parts.engine, id_)
    runs.change(project.parts.engine, id_, **said)
    with pytest.raises(UserError, match="by now"):
        background.resume(id_, seen=seen)
    assert runs.get(project.parts.engine, id_).state == said["state"]
    background.close()


def test_a_paused_job_and_other_tunings_wait_for_somebody(project: Project) -> None:
    engine, background = project.parts.engine, Background(project)
    background.close()
    paused = job(project, state="interrupted", error=running.PAUSED, process=None)
    other = job(project, settings={"data": "letters-train"})
    assert taking_up.left(engine) == [paused]
    for id_ in (paused, other):
        before = runs.get(engine, id_)
        assert taking_up.again(background, project, id_)
        assert runs.get(engine, id_) == before


def test_killed_while_its_model_is_published_it_publishes_and_learns_no_more(project: Project) -> None:
    parts, id_ = project.parts, job(project)
    adapter = adding.adopt(parts, project.config.root / "theirs").id
    made = {"adapter": adapter, "dataset": "d", "app": "", "base": "b", "examples": 1, "without": 0, "tuned": {}}
    Notebook(project.config.state, id_, "made").keep("made", made)
    for _ in range(2):
        again = tuning_jobs.tune(parts, tuning.Wanted(data="file-0", app="", base="chat"), run=id_, on_progress=print)
        assert again.adapter == adapter
        tuning_jobs.publish(parts, JOB, again.adapter, run=id_, key="")
    [model] = tuned_models.listed(parts.engine, Caller())
    assert model.name == f"ft:chat:s:{id_}"
    assert [one.id for one in client_files.listed(parts.engine, key="")] == [client_files.results_of(id_)]
