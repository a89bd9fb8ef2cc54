"""Real attempts to get out of the sandbox: nothing outside is read, changed, reached or seen, whatever is tried."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewheel.guard.sandbox import Limits, run

SOURCE = Path(__file__).parents[2] / "src"
NAMESPACES = ["user", "mount", "pid", "net", "ipc", "uts"]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What there is to be reached: a secret file and a database, listening sockets, a process, a variable."""
    folder = tmp_path_factory.mktemp("outside")
    folder.chmod(0o755)
    for name in ("secret", "gatewheel.db"):
        (folder / name).write_text("CANARY")
        (folder / name).chmod(0o666)
    folder.chmod(0o777)
    inet, unix, abstract = (
        socket.socket(family, socket.SOCK_STREAM) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
    )
    inet.bind(("127.0.0.1", 0))
    unix.bind(str(folder / "socket"))
    (folder / "socket").chmod(0o777)
    abstract.bind(f"\0gatewheel-{os.getpid()}")
    for listening in (inet, unix, abstract):
        listening.listen()
    os.environ["GATEWHEEL_TEST_SECRET"] = "CANARY"
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield {
        "FOLDER": str(folder),
        "PORT": str(inet.getsockname()[1]),
        "PARENT": str(os.getpid()),
        "VICTIM": str(victim.pid),
    }
    assert victim.poll() is None, "the other process was ended"
    assert (folder / "secret").read_text() == (folder / "gatewheel.db").read_text() == "CANARY"
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("secret", "gatewheel.db")} == {0o666}
    assert sorted(path.name for path in folder.iterdir()) == ["gatewheel.db", "secret", "socket"]
    victim.kill()
    victim.wait()
    for listening in (inet, unix, abstract):
        listening.settimeout(0)
        with pytest.raises(BlockingIOError):
            listening.accept()
        listening.close()
    del os.environ["GATEWHEEL_TEST_SECRET"]


# each says ESCAPED when it has done what nobody may
READING = {
    "passwd": "open('/etc/passwd').read(); print('ESCAPED')",
    "database": "open('FOLDER/gatewheel.db').read(); print('ESCAPED')",
    "folder": "import os; os.listdir('FOLDER'); print('ESCAPED')",
    "dots": "open('../../../../../../FOLDER/secret').read(); print('ESCAPED')",
    "link": "import os; os.symlink('FOLDER/secret', 'l'); open('l').read(); print('ESCAPED')",
    "hard link": "import os; os.link('FOLDER/secret', 'l'); open('l').read(); print('ESCAPED')",
    "proc": "open('/proc/PARENT/environ').read(); print('ESCAPED')",
    "memory": "open('/proc/self/mem', 'rb'); print('ESCAPED')",
    "sys": "open('/sys/kernel/uevent_seqnum').read(); print('ESCAPED')",
    "devices": "open('/dev/vda', 'rb'); print('ESCAPED')",
    "make device": "import os, stat; os.mknod('d', 0o666 | stat.S_IFBLK, os.makedev(254, 0)); print('ESCAPED')",
    "packages": "import pytest; print('ESCAPED')",
    "gatewheel": "import gatewheel; print('ESCAPED')",
    "its folder": "import sys; sys.path.append('SOURCE'); import gatewheel; print('ESCAPED')",
    "environment": "import os\nif any('CANARY' in v or k.startswith('GATEWHEEL') for k, v in os.environ.items()): "
    "print('ESCAPED')",
    "descriptors": "import os, stat\nfor fd in range(3, 4096):\n try: mode = os.fstat(fd).st_mode\n"
    " except OSError: continue\n if not stat.S_ISFIFO(mode): print('ESCAPED')\n"
    " try: os.read(fd, 1); print('ESCAPED')\n except OSError: pass",  # but the pipe to tell its end
    "working folder": "import os; os.fchdir(3)\nprint('ESCAPED')",
    "chroot": "import os\nos.chroot('.')\nos.chdir('../../..'); print('ESCAPED')",
}
CHANGING = {
    "write": "open('FOLDER/new', 'w').write('x'); print('ESCAPED')",
    "overwrite": "open('FOLDER/gatewheel.db', 'w').write('x'); print('ESCAPED')",
    "delete": "import os; os.unlink('FOLDER/gatewheel.db'); print('ESCAPED')",
    "truncate": "import os; os.truncate('FOLDER/gatewheel.db', 0); print('ESCAPED')",
    "chmod": "import os; os.chmod('FOLDER/gatewheel.db', 0); print('ESCAPED')",
    "times": "import os; os.utime('FOLDER/gatewheel.db', (0, 0)); print('ESCAPED')",
    "rename": "import os; os.rename('FOLDER/gatewheel.db', 'FOLDER/other'); print('ESCAPED')",
    "library": "import os; open(os.__file__, 'a').write('x'); print('ESCAPED')",
    "empty the library": "import os; os.open(os.__file__, os.O_RDONLY | os.O_TRUNC); print('ESCAPED')",
    "empty it as neither": "import os; os.open(os.__file__, 3 | os.O_TRUNC); print('ESCAPED')",
    "remount": "import ctypes, os\nif not ctypes.CDLL(None).mount(b'', b'/', None, 32 | 4096, None): print('ESCAPED')",
}
REACHING = {
    "inet": "import socket; socket.create_connection(('127.0.0.1', PORT), 1); print('ESCAPED')",
    "inet6": "import socket; socket.socket(socket.AF_INET6); print('ESCAPED')",
    "name": "import socket; socket.getaddrinfo('example.org', 80); print('ESCAPED')",
    "unix": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('FOLDER/socket'); print('ESCAPED')",
    "abstract": "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0gatewheel-PARENT'); print('ESCAPED')",
    "datagram": "import socket; a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
    "a.sendto(b'x', 'FOLDER/socket'); print('ESCAPED')",
    "pair": "import socket; a, b = socket.socketpair()\na.connect('FOLDER/socket'); print('ESCAPED')",
    "vsock": "import socket; socket.socket(socket.AF_VSOCK); print('ESCAPED')",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW); print('ESCAPED')",
    "packet": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print('ESCAPED')",
    "listen": "import socket; socket.create_server(('127.0.0.1', 0)); print('ESCAPED')",
}
OTHERS = {
    "kill": "import os; os.kill(VICTIM, 9); print('ESCAPED')",
    "kill the parent": "import os; os.kill(PARENT, 15); print('ESCAPED')",
    "kill whoever watches": "import os; os.kill(os.getppid() or 99999999, 9); print('ESCAPED')",
    "kill all": "import os; os.kill(-1, 9); print('ESCAPED')",
    "kill the group": "import os; os.killpg(0, 9); print('ESCAPED')",
    "signal by descriptor": "import os; os.pidfd_open(VICTIM); print('ESCAPED')",
    "trace": "import ctypes\nif ctypes.CDLL(None).ptrace(16, VICTIM, 0, 0) == 0: print('ESCAPED')",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, VICTIM, 19); print('ESCAPED')",
    "limits": "import resource; resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (0, 0)); print('ESCAPED')",
    "own limits": "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)); print('ESCAPED')",
    "owner of events": "import fcntl, os; fcntl.fcntl(os.pipe()[0], 8, VICTIM); print('ESCAPED')",
    "fork": "import os\nos.fork(); print('ESCAPED')",
    "fork bomb": "import os\nwhile True: os.fork(); print('ESCAPED')",
    "stay behind": "import os, time\nif not os.fork(): os.setsid(); print('ESCAPED'); time.sleep(600)",
    "execute": "import os; os.execv('/bin/sh', ['sh', '-c', 'echo ESCAPED'])",
    "command": "import subprocess; print(subprocess.run(['echo', 'ESCAPED']).stdout)",
    "other pool": "import multiprocessing; multiprocessing.Pool(2).map(print, ['ESCAPED'])",
    "user": "import os; os.setuid(0); print('ESCAPED')",
    "group": "import os; os.setgroups([0]); print('ESCAPED')",
    "anonymous file": "import os; os.memfd_create('x'); print('ESCAPED')",
}
BY_NUMBER = {  # on x86-64; each must fail, whatever its arguments
    name: int(number, 0)
    for name, number in (
        row.split("=")
        for row in """
        socket=41 connect=42 clone3=435 fork=57 vfork=58 execve=59 execveat=322 ptrace=101 mount=165 unshare=272
        setns=308 process_vm_readv=310 process_vm_writev=311 bpf=321 keyctl=250 add_key=248 io_uring_setup=425
        userfaultfd=323 perf_event_open=298 open_by_handle_at=304 pidfd_open=434 memfd_create=319 shmget=29 msgget=68
        mq_open=240 personality=135 init_module=175 setuid=105 capset=126 prctl=157 seccomp=317 reboot=169 chroot=161
        landlock_create_ruleset=444 of_the_future=600 socket_of_x32=0x40000029
        """.split()
    )
}
EVERY = READING | CHANGING | REACHING | OTHERS


def told(code: str, outside: dict[str, str]) -> str:
    for word, value in (outside | {"SOURCE": str(SOURCE)}).items():
        code = code.replace(word, value)
    return code


@pytest.mark.parametrize("attempt", EVERY)
def test_nobody_gets_out(attempt: str, outside: dict[str, str]) -> None:
    outcome = run(told(EVERY[attempt], outside), limits=Limits(seconds=5))
    assert "ESCAPED" not in outcome.stdout
    assert "CANARY" not in outcome.stdout + outcome.stderr
    assert outcome.status in ("failed", "passed")
    if outcome.status == "failed":
        # refused, and not merely a mistake in the attempt
        assert outcome.reason.endswith(("Error", "gaierror")), outcome.stderr
        assert outcome.reason not in ("SyntaxError", "NameError", "TypeError", "AttributeError"), outcome.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
def test_system_calls_by_number_are_refused() -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {BY_NUMBER!r}.items():\n"
        "    ctypes.set_errno(0)\n"
        "    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(n) for n in (1, 1, 0, 0, 0, 0)])\n"
        "    print(name, result, ctypes.get_errno())\n"
    )
    outcome = run(code)
    assert outcome.passed, outcome.stderr
    found = [line.rsplit(" ", 2) for line in outcome.stdout.splitlines()]
    assert [name for name, _, _ in found] == list(BY_NUMBER)
    assert {name: (result, errno) for name, result, errno in found if (result, errno) not in REFUSED} == {}


REFUSED = {("-1", "1"), ("-1", "38")}  # EPERM, ENOSYS


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the machine code is that of x86-64")
def test_32_bit_system_calls_end_the_program() -> None:
    code = (
        "import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\n"
        "page.write(bytes.fromhex('b814000000cd80c3'))\n"  # mov eax, 20 (getpid); int 0x80; ret
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "print('ESCAPED', ctypes.CFUNCTYPE(ctypes.c_long)(at)())\n"
    )
    outcome = run(code)
    assert (outcome.status, outcome.stdout) == ("killed", "")
    assert outcome.reason in (signal.Signals.SIGSYS.name, signal.Signals.SIGSEGV.name)  # the latter without ia32


def as_others(without: list[str], codes: dict[str, str]) -> dict[str, dict[str, str]]:
    """Outcomes of programs with some walls left out, run by a user who is not root."""
    python, user = sys.executable, None
    if not os.getuid():
        user = 65534
        candidates = [sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"]
        works = "import sys, ctypes, socket; sys.exit(sys.version_info < (3, 11))"
        usable = [one for one in candidates if not _as(user, ["env", one, "-S", "-c", works]).returncode]
        if not usable or _as(user, ["ls", str(SOURCE / "gatewheel")]).returncode:
            pytest.skip("a Python, or the sources, cannot be read by who is not root")
        python = usable[0]
    script = (
        "import json, sys\nsys.path.insert(0, sys.argv[1])\nfrom gatewheel.guard import sandbox\n"
        "without, codes = json.load(sys.stdin)\n"
        "for name, code in codes.items():\n"
        "    o = sandbox._run(code, stdin='', name='x', limits=sandbox.Limits(), without=tuple(without))\n"
        "    print(json.dumps([name, {'status': o.status, 'out': o.stdout, 'err': o.stderr, 'walls': o.walls}]))\n"
    )
    done = _as(user, [python, "-c", script, str(SOURCE)], input=json.dumps([without, codes]))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


def _as(user: int | None, command: list[str], **rest: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, user=user, capture_output=True, text=True, cwd="/", check=False, **rest)


@pytest.mark.parametrize(
    ("without", "stand"),
    [
        ([], {"privileges", "seccomp"}),
        (NAMESPACES, {"privileges", "seccomp", "landlock:"}),  # as in most containers
        (["landlock"], {"privileges", "seccomp", "root"}),
    ],
    ids=["all", "without name spaces", "without Landlock"],
)
def test_nor_does_a_user_without_root(without: list[str], stand: set[str], outside: dict[str, str]) -> None:
    outcomes = as_others(without, {name: told(code, outside) for name, code in EVERY.items()})
    for name, outcome in outcomes.items():
        assert "ESCAPED" not in outcome["out"], name
        assert "CANARY" not in outcome["out"] + outcome["err"], name
        assert all(any(wall.startswith(one) for wall in outcome["walls"]) for one in stand), outcome["walls"]


@pytest.mark.parametrize("mode", [os.O_RDONLY, 3])
def test_no_file_is_emptied_by_who_may_read_it(mode: int) -> None:
    """By the filter: Landlock before Linux 6.2 lets who owns Python empty its library."""
    code = f"import os\ntry: os.open(os.__file__, {mode} | os.O_TRUNC)\nexcept OSError as error: print(error.errno)"
    told = as_others(NAMESPACES, {"empty": code, "null": "import os; open(os.devnull, 'w').write('x')"})
    assert told["empty"]["out"] == "1\n"  # EPERM; whom Landlock or the file's mode refuses is told EACCES
    assert told["null"]["status"] == "passed", told["null"]["err"]


def test_the_other_walls_hold_where_system_calls_are_not_filtered(outside: dict[str, str]) -> None:
    """What only the filter keeps out: processes of one's own, and sockets of kinds that no name space has."""
    only_filter = {"fork", "fork bomb", "stay behind", "other pool", "anonymous file", "vsock", "netlink", "inet6"}
    only_filter |= {"listen", "datagram", "owner of events", "kill the group", "kill all", "chroot"}
    codes = {name: told(code, outside) for name, code in EVERY.items() if name not in only_filter}
    for name, outcome in as_others(["seccomp", "check"], codes).items():
        assert "ESCAPED" not in outcome["out"], name


def test_who_stays_behind_ends_with_the_process_name_space() -> None:
    """The pipes close, or this would not return before the watcher is given up."""
    code = "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork(): time.sleep(600)\n    os._exit(0)"
    outcome = as_others(["seccomp", "check"], {"stay": code})["stay"]
    assert outcome["status"] == "passed"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_numbers_of_system_calls_are_the_kernels(machine: str) -> None:
    from gatewheel.guard import seccomp

    headers = {
        "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        "aarch64": "/usr/include/asm-generic/unistd.h",
    }
    header = Path(headers[machine])
    if not header.exists():
        pytest.skip(f"the headers of the kernel are not installed: {header}")
    known = {}
    for line in header.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "#define" and words[2].isdigit():
            known[words[1].replace("__NR3264_", "__NR_").removeprefix("__NR_")] = int(words[2])
    known.setdefault("newfstatat", known.get("fstatat", -1))
    tables = ",".join([seccomp.NUMBERS, seccomp.NUMBERS_OF_FILES, *(row[0] for row in seccomp._BY_ARGUMENT)])
    found = seccomp.allowed(tables, machine)
    assert found == {name: known[name] for name in found}
    assert len(found) > 100
