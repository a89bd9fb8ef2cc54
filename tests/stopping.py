"""Long work of the command line, stopped while it waits for an endpoint, or killed, and taken up again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gatewheel as gw
from awaiting import eventually
from gatewheel.cli.main import run
from gatewheel.kernel import runs
from gatewheel.kernel.runs import Run

GATEWHEEL = [sys.executable, "-P", "-m", "gatewheel"]
THINKING = 60.0  # seconds that an endpoint takes to answer, once it is slow
PROMPT = 20  # seconds in which who waits for it has to stop, on a machine that has other work


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`gatewheel …` at work."""
    return subprocess.Popen([*GATEWHEEL, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def told(folder: Path, *words: str) -> tuple[int, str, str]:
    """The exit code of `gatewheel …` and what it writes to both streams, here: a process would import all of it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["-C", str(folder), *words])
    return code, out.getvalue(), err.getvalue()


def called(folder: Path, *words: str) -> Any:
    """What `gatewheel … --json` says."""
    code, out, err = told(folder, *words, "--json")
    assert code == 0, err
    return json.loads(out)


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
    stopped = the_run(folder)
    assert (watcher.returncode, stopped.state) == (130, "cancelled"), err
    assert f"gatewheel runs resume {stopped.id}".encode() in err
    return stopped


def killed(watcher: subprocess.Popen[bytes], folder: Path) -> Run:
    """The run, once the process that did its work is killed."""
    at_work = the_run(folder)
    assert at_work.process
    os.kill(at_work.process, signal.SIGKILL)
    watcher.communicate(timeout=60)
    return at_work
