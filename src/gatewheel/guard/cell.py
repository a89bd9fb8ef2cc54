"""The process of which every run of the sandbox is a fork: a Python without environment, packages and project.

Of each job a watcher is forked, and of that the program, which gets behind the walls before its first line. Nothing
that a program does to its own process costs more than its own verdict.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from gatewheel.guard import linux, seccomp, walls

FILE = "program.py"
SETUP = 30.0  # seconds for getting behind the walls, on the busiest machine
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_TOLD = 4096  # bytes that the child may tell at most


class Refused(Exception):
    """An essential wall cannot be raised."""


def main() -> None:
    """Take jobs from the socket that is the last argument, until nobody is at its other end.

    With each come its file and the pipes for what is told, stdout and stderr.
    """
    line = socket.socket(fileno=int(sys.argv[-1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    while (received := socket.recv_fds(line, 1, 4))[0]:
        job, control, out, err = received[1]
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            line.close()
            for fd, to in enumerate((job, out, err)):
                os.dup2(fd=to, fd2=fd)
            os.closerange(3, control)
            os.closerange(control + 1, 1024)
            _carry_out(control)
        for fd in received[1]:
            os.close(fd)


def _carry_out(control: int) -> None:
    """One job, from standard input. Never returns; nobody listening any more ends it."""
    job = marshal.load(sys.stdin.buffer)
    number, left = os.getpid(), walls.enter_namespaces(without=job["without"])
    secret, (hear, say) = os.urandom(16), os.pipe()
    child = os.fork()
    if not child:
        os.close(hear)
        os.close(control)
        _be_the_program(job, left, number=number, secret=secret, say=say)
    os.close(say)
    told = _watch(child, hear, control, secret=secret, seconds=job["seconds"])
    with suppress(BrokenPipeError):
        os.write(control, told.encode())
    os._exit(0)


def _watch(child: int, hear: int, control: int, *, secret: bytes, seconds: float) -> str:
    """Lines: the walls, how it ended, then seconds on the clock, seconds of processors and most memory in kB.

    Or one line that begins with "refused".
    """
    first, end = b"", time.monotonic() + SETUP
    while not first.endswith(b"\n") and _ready(hear, control, end - time.monotonic()):
        if not (more := os.read(hear, 1)):
            break
        first += more
    late, took = False, 0.0
    if stands := first.startswith(b"walls "):
        began = time.monotonic()
        late = not _ready(os.pidfd_open(child), control, seconds)
        took = time.monotonic() - began
    if late or not stands:
        os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    if not stands:
        return first.decode("utf-8", "replace") or f"refused by an end with status {status}\n"
    os.set_blocking(hear, False)
    rest = b""
    with suppress(BlockingIOError):
        rest = os.read(hear, _TOLD)
    ended = "late" if late else _ended(status, rest, secret)
    return f"{first.decode()}{ended}\n{took:.6f} {used.ru_utime + used.ru_stime:.6f} {used.ru_maxrss}\n"


def _ready(fd: int, control: int, seconds: float) -> bool:
    """Wait until there is something to read; False when it took longer, or when nobody listens any more."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.register(control, 0)  # an error is always told: the other end was closed, or its process has died
    events = poll.poll(max(0.0, seconds) * 1000)
    return bool(events) and all(found != control for found, _ in events)


def _ended(status: int, rest: bytes, secret: bytes) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    if rest.startswith(secret):  # only a program that came to its end is told with it
        return " ".join(rest.removeprefix(secret).decode("utf-8", "replace").split())
    return f"left {os.WEXITSTATUS(status)}"


def _be_the_program(job: dict[str, Any], left: list[str], *, number: int, secret: bytes, say: int) -> None:
    """Never returns."""
    try:
        raised = _get_behind(job, left, number)
    except BaseException as error:  # noqa: BLE001 (whatever it is, nothing runs behind half a wall)
        told = f"refused {error or type(error).__name__}"
        os.write(say, " ".join(told.split()).encode("utf-8", "replace") + b"\n")
        os._exit(1)
    os.write(say, f"walls {' '.join(raised)}\n".encode())
    own = os.getpid()
    told = _run(job["code"], job["name"])
    if os.getpid() != own:  # where nothing kept the program from a fork, only the first process has a verdict
        os._exit(0)
    with suppress(BaseException):
        sys.stdout.flush()
    with suppress(BaseException):
        sys.stderr.flush()
    with suppress(BaseException):
        os.write(say, secret + told.encode("utf-8", "replace")[: _TOLD - len(secret)])
    os._exit(0)


def _get_behind(job: dict[str, Any], left: list[str], number: int) -> list[str]:
    """The names of the walls that stand. Raises Refused where an essential one does not, OSError where one breaks."""
    linux.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.setsid()
    without: tuple[str, ...] = job["without"]
    with suppress(OSError):
        walls.write("/proc/self/oom_score_adj", "1000")  # when the machine runs out of memory, this goes first
    raised, own_root = [name for name in left if name != "mount"], False
    if "mount" in left:
        with suppress(OSError):
            walls.enter_own_root(job["place"], size=job["files"])
            own_root = True
            raised.append("root")
    if alone := walls.be_nobody(number):
        raised.append("nobody")
        linux.prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # a change of user cleared it
        if not os.access(os.__file__, os.R_OK):
            raise Refused("files: Python's own library lies where only root may read")
    _take_input(job["stdin"])
    walls.give_up_privileges()
    threads = job["threads"] if alone or "user" in left else None
    walls.limit(seconds=job["seconds"], memory=job["memory"], file=job["files"], threads=threads)
    raised += ["privileges", "limits"]
    if "landlock" not in without and (version := walls.enter_landlock(own_root=own_root)):
        raised.append(f"landlock:{version}")
    if "seccomp" not in without and seccomp.known(os.uname().machine):
        with suppress(OSError):
            seccomp.install(own_root=own_root)
            raised.append("seccomp")
    if "check" not in without:
        _check(raised)
    return raised


def _check(raised: list[str]) -> None:
    """Refuse where the network or the files would stay open. Landlock alone leaves sockets and chmod, hence seccomp."""
    if "seccomp" not in raised:
        raise Refused("network and processes: the kernel takes no seccomp filter, or not on this architecture")
    if "root" not in raised and not any(name.startswith("landlock") for name in raised):
        raise Refused("files: neither Landlock nor a mount name space can be had")


def _take_input(data: bytes) -> None:
    """Make it the standard input, in place of the job."""
    fd = os.memfd_create("input")
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    os.dup2(fd, 0)
    os.close(fd)
    sys.stdin = os.fdopen(0, encoding="utf-8", errors="replace", closefd=False)


def _run(code: str, name: str) -> str:
    """Execute the program as a module of this name; how it ended, in a line."""
    for loaded in [one for one in sys.modules if one.partition(".")[0] == "gatewheel"]:
        del sys.modules[loaded]
    del sys.path[-1]  # where our own modules are
    sys.argv[:] = [FILE]
    os.environ.clear()
    module = ModuleType(name)
    sys.modules[name] = module
    with suppress(OSError):
        Path(FILE).write_text(code, encoding="utf-8", errors="replace")  # so that a traceback shows its lines
    try:
        exec(compile(code, FILE, "exec", dont_inherit=True), module.__dict__)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        return f"left {end.code if isinstance(end.code, int) else int(end.code is not None)}"
    except BaseException as error:  # noqa: BLE001 (a program may raise anything)
        with suppress(BaseException):
            own = error.__traceback__ and error.__traceback__.tb_next  # without the line of this very function
            sys.__excepthook__(type(error), error.with_traceback(own), own)
        return "memory" if isinstance(error, MemoryError) else f"raised {type(error).__name__}"
    return "passed"
