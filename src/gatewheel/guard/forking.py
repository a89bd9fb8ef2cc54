"""Keeps one clean Python ready, from which every run of the sandbox is forked: to start one costs more than a run."""

from __future__ import annotations

import atexit
import marshal
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_BOOT = "import sys; sys.path.append(sys.argv[1]); from gatewheel.guard.cell import main; main()"
_PACKAGES = str(Path(__file__).resolve().parents[2])
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Pipes:
    """File descriptors to read from. To close `control` ends the run."""

    control: int
    stdout: int
    stderr: int


@dataclass(slots=True)
class _Ready:
    """Our end of the socket to the process that forks, while there is one."""

    line: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None


_READY = _Ready()


def fork(job: Mapping[str, object]) -> Pipes:
    """Start a job, which `cell` explains. Raises OSError when no process can be started."""
    with ExitStack() as theirs, ExitStack() as ours:
        given = os.memfd_create("job")
        theirs.callback(os.close, given)
        ends: list[tuple[int, int]] = []
        for _ in range(3):
            ends.append(os.pipe())
            ours.callback(os.close, ends[-1][0])
            theirs.callback(os.close, ends[-1][1])
        with os.fdopen(given, "wb", closefd=False) as file:
            file.write(marshal.dumps(dict(job)))
        os.lseek(given, 0, os.SEEK_SET)
        _hand_over([given, *(say for _, say in ends)])
        ours.pop_all()  # from here on they are the caller's
    return Pipes(*(hear for hear, _ in ends))


def _hand_over(fds: list[int]) -> None:
    with _LOCK:
        line = _READY.line or _start()
        try:
            socket.send_fds(line, [b"!"], fds)
        except (BrokenPipeError, ConnectionResetError):  # somebody ended it, such as a machine out of memory
            _end()
            socket.send_fds(_start(), [b"!"], fds)


def _end() -> None:
    if _READY.line and _READY.process:
        _READY.line.close()  # after which it ends
        _READY.process.wait()
        _READY.line = None


def _start() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # of the environment and the packages of this process it knows nothing; hashes are the same every time
        _READY.process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-X", "utf8", "-c", _BOOT, _PACKAGES, str(theirs.fileno())],
            env={"PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            cwd="/",
        )
    _READY.line = ours
    return ours


atexit.register(_end)
