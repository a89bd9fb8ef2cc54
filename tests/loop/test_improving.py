"""A whole turn of the wheel from what people said, killed on the way: it ends as if it had not been."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.loop import improving
from gatewheel.loop.improving import Wanted
from gatewheel.loop.listen import OWNER, give
from gatewheel.ops import releases
from letters import SAID, THINGS, written
from stopping import called, start, the_run, told

pytest.importorskip("torch", reason="the extra train is not installed")

SHORT = ("--set", "steps=8", "--budget", "20m")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose application was asked, and corrected by people."""
    written(tmp_path, train=False)
    with gw.open(tmp_path) as project:
        for thing in THINGS[:6]:
            for intent, said in SAID.items():
                answer = project.ask(said.format(thing))
                give(project.parts, str(answer.trace), caller=OWNER, thumb="down", correction=intent)
    return tmp_path


def test_killed_on_the_way_a_turn_ends_with_a_proposal(home: Path) -> None:
    watcher = start(home, "improve", *SHORT)
    _reached(home, "2/5 tune: lora of main, learning")
    os.kill(the_run(home).process or 0, signal.SIGKILL)
    watcher.communicate(timeout=60)
    run = the_run(home)
    resumed = called(home, "runs", "resume", run.id)
    made = improving.of_result(resumed["result"])
    assert (made.harvested, made.examples, made.outcome) == (12, 10, "promote"), made.reasons
    with gw.open(home) as project:
        row = releases.history(project.parts.engine)[-1]
    assert (row.number, row.action, row.variant) == (made.proposed, "propose", made.variant)
    called(home, "release", "promote", made.variant)
    code, out, _ = told(home, "improve", *SHORT, "--json")
    assert made.adapter in out  # nothing new was said, so nothing is learned twice
    assert code != 0  # and what answers already is no better than itself


def test_without_a_gate_or_anything_to_learn_it_says_so(tmp_path: Path) -> None:
    with gw.open(written(tmp_path, train=False)) as project:
        with pytest.raises(ConfigError, match=r"no gate guards \[app.elsewhere\]|runs elsewhere"):
            improving.settled(project.parts, Wanted(app="elsewhere"))
        settled = improving.settled(project.parts, Wanted())
        assert (settled.gate, settled.data) == ("main", "letters-train")
        with pytest.raises(UserError, match="nobody corrected"):
            improving.improve(project.parts, Wanted(), run="")


def _reached(home: Path, target: str) -> None:
    with gw.open(home) as project:  # once: each look would cost 20 ms of what it waits for
        engine = project.parts.engine
        eventually(lambda: any(run.progress.get("target") == target for run in runs.recent(engine)[:1]), seconds=240)
