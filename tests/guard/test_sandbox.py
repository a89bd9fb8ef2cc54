"""The sandbox tells how a program ended, holds it to its limits and leaves nothing behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from gatewheel.guard import forking, sandbox
from gatewheel.guard.sandbox import Limits, run
from gatewheel.kernel.errors import MissingPart

SHORT = Limits(seconds=0.5)


def test_what_a_program_writes_and_reads_comes_through() -> None:
    outcome = run("import sys\nprint(input(), '→', 6 * 7)\nprint('aside', file=sys.stderr)", stdin="äh\n")
    assert (outcome.status, outcome.reason) == ("passed", "")
    assert (outcome.stdout, outcome.stderr) == ("äh → 42\n", "aside\n")
    assert outcome.seconds < 3
    assert 0 < outcome.memory < 100 << 20


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("assert 1 == 2", "failed", "AssertionError"),
        ("if True print()", "failed", "SyntaxError"),
        ("print('\\ud800')", "failed", "UnicodeEncodeError"),
        ("def f(): f()\nf()", "failed", "RecursionError"),
        ("while True: pass", "timed out", "more than 0.5 seconds"),
        ("import time; time.sleep(9)", "timed out", "more than 0.5 seconds"),
        ("import signal\nfor n in range(1, 32):\n try: signal.signal(n, signal.SIG_IGN)\n"
         " except OSError: pass\nwhile True: pass", "timed out", "more than 0.5 seconds"),
        ("while True:\n try:\n  while True: pass\n except BaseException: pass", "timed out", "more than 0.5 seconds"),
        ("x = bytearray(1 << 30)", "out of memory", "more than 512 MB"),
        ("x = []\nwhile True: x.append('x' * (1 << 26))", "out of memory", "more than 512 MB"),
        ("import ctypes; ctypes.string_at(0)", "killed", "SIGSEGV"),
        ("while True: print('x' * 999)", "killed", "wrote more than 65536 bytes"),
        ("import os\nwhile True: os.write(2, b'x' * 999)", "killed", "wrote more than 65536 bytes"),
    ],
)  # fmt: skip
def test_it_says_how_a_program_ended(code: str, status: str, reason: str) -> None:
    outcome = run(code, limits=SHORT if status == "timed out" else Limits(seconds=60))  # the machine may be busy
    assert (outcome.status, outcome.reason) == (status, reason)
    assert not outcome.passed
    assert max(len(outcome.stdout), len(outcome.stderr)) <= SHORT.output


@pytest.mark.parametrize(
    "leave",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit",
        "exit = __import__('os')._exit; exit(0)",
        "import os\nfor fd in range(3, 64):\n try: os.write(fd, b'passed')\n except OSError: pass\nos._exit(0)",
        "import ctypes; ctypes.CDLL(None).exit_group(0) if 0 else ctypes.CDLL(None)._exit(0)",
        "import atexit, os; atexit.register(os._exit, 0); raise SystemExit(0)",
    ],
)
def test_who_leaves_before_the_end_has_not_passed(leave: str) -> None:
    outcome = run(f"{leave}\nassert False")
    assert (outcome.status, outcome.reason) == ("failed", "left with 0 before its end")


def test_a_traceback_shows_the_line_and_nothing_of_ours() -> None:
    outcome = run("def f(x):\n    return 1 / x\nf(0)\n")
    assert outcome.stderr.count("return 1 / x") == 1
    assert "gatewheel" not in outcome.stderr


def test_the_name_of_the_program_is_its_callers_choice() -> None:
    code = "if __name__ == '__main__': print('main')"
    assert run(code).stdout == "main\n"
    assert run(code, name="solution").stdout == ""


def test_what_a_program_may_do() -> None:
    outcome = run(
        "import asyncio, decimal, sqlite3, ssl, tempfile, threading\n"
        "asyncio.run(asyncio.sleep(0))\n"
        "started = threading.Thread(target=lambda: None); started.start(); started.join()\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    open(folder + '/x', 'w').write('kept')\n"
        "    assert open(folder + '/x').read() == 'kept'\n"
        "open('/dev/null', 'w').write('gone')\n"
        "assert sqlite3.connect('x.db').execute('select 1').fetchone() == (1,)\n"
    )
    assert outcome.passed, outcome.stderr


def test_files_and_threads_are_limited() -> None:
    many = run("for n in range(100): open(str(n), 'wb').write(bytes(1 << 20))")
    assert (many.status, many.reason) == ("failed", "OSError")
    large = run("open('x', 'wb').truncate(1 << 40)")
    assert (large.status, large.reason) == ("failed", "OSError")
    threads = run("import threading, time\nfor _ in range(99): threading.Thread(target=time.sleep, args=(9,)).start()")
    assert (threads.status, threads.reason) == ("failed", "RuntimeError")


def test_hashes_are_the_same_every_time() -> None:
    code = "print(hash('gate'), {'a', 'b', 'c', 'd'})"
    assert run(code).stdout == run(code).stdout


def test_nothing_stays_from_one_run_to_the_next() -> None:
    assert run("open('left', 'w').write('x'); import builtins; builtins.left = 1").passed
    again = run("import os, builtins; print(os.listdir('.'), hasattr(builtins, 'left'))")
    assert again.stdout == "['program.py'] False\n"


def test_many_at_once_do_not_mix_and_leave_no_file_descriptor() -> None:
    run("")
    before = set(Path("/proc/self/fd").iterdir())
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: run(f"print({n})"), range(40)))
    assert [outcome.stdout for outcome in outcomes] == [f"{n}\n" for n in range(40)]
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_it_starts_again_when_the_process_that_forks_was_ended() -> None:
    run("")
    assert forking._READY.process
    forking._READY.process.kill()
    forking._READY.process.wait()
    assert run("print(1)").stdout == "1\n"


def test_who_has_no_walls_runs_nothing() -> None:
    for without in (("seccomp",), ("mount", "user", "landlock")):
        with pytest.raises(MissingPart) as refusal:
            sandbox._run("print('ran')", stdin="", name="x", limits=SHORT, without=without)
        assert "docs/guard.md" in refusal.value.cure


def test_another_system_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(MissingPart, match="Docker"):
        run("")


def test_walls_are_told_one_by_one() -> None:
    found = {wall.name: wall for wall in sandbox.walls()}
    assert found["seccomp"].stands
    assert found["privileges"].stands
    assert found["root"].stands or found["landlock"].stands
    assert all(wall.cure for wall in found.values() if not wall.stands)


def test_when_gatewheel_is_killed_the_program_ends() -> None:
    code = (
        "from gatewheel.guard import forking, sandbox\n"
        "sandbox.run('')\n"
        "print(forking._READY.process.pid, flush=True)\n"
        "sandbox.run('while True: pass', limits=sandbox.Limits(seconds=600))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        server = int(process.stdout.readline())
        running = _wait(lambda: found if len(found := _beneath(server)) == 3 else None)  # it, a watcher, a program
        process.send_signal(signal.SIGKILL)
        process.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running) or None)


def test_short_of_descriptors_it_loses_none() -> None:
    run("")  # whatever is made once is there
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        for fd in held[-3:]:
            os.close(fd)
        del held[-3:]
        with pytest.raises(MissingPart, match="Too many open files"):
            run("")  # it takes seven
        held += [os.dup(0) for _ in range(3)]
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _beneath(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def _wait(look):  # type: ignore[no-untyped-def]
    for _ in range(600):
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")
