"""Long work of the command line, stopped while it waits for an endpoint, or killed, and taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gatewheel as gw
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.kernel.runs import Run

GATEWHEEL = [sys.executable, "-P", "-m", "gatewheel"]
THINKING = 60.0  # seconds that an endpoint takes to answer, once it is slow
PROMPT = 20  # seconds in which who waits for it has to stop, on a machine that has other work


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`gatewheel …` at work."""
    return subprocess.Popen([*GATEWHEEL, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def called(folder: Path, *words: str) -> Any:
    """What `gatewheel … --json` says."""
    done = subprocess.run([*GATEWHEEL, *words, "--json"], cwd=folder, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def the_run(folder: Path) -> Run:
    """The newest one."""
    with gw.open(folder) as opened:
        return runs.recent(opened.parts.engine)[0]


def reached(folder: Path, *states: str) -> None:
    """Wait until the newest run is in one of these states."""
    with gw.open(folder) as opened:  # once: each look would cost 20 ms of what it waits for
        engine = opened.parts.engine
        eventually(lambda: runs.recent(engine)[0].state in states, seconds=60)


def interrupted(watcher: subprocess.Popen[bytes], folder: Path) -> Run:
    """The run, once Ctrl-C has stopped it, which it does at once."""
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=PROMPT)
    run = the_run(folder)
    assert (watcher.returncode, run.state) == (130, "cancelled"), err
    assert f"gatewheel runs resume {run.id}".encode() in err
    return run


def killed(watcher: subprocess.Popen[bytes], folder: Path) -> Run:
    """The run, once the process that did its work is killed."""
    run = the_run(folder)
    assert run.process
    os.kill(run.process, signal.SIGKILL)
    watcher.communicate(timeout=60)
    return run
