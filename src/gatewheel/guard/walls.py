"""The walls that Linux gives to anybody, also without root, and how this very process gets behind each.

None rests on another: where a container or an old kernel lacks one, the others stand. Nothing here starts a program.
"""

from __future__ import annotations

import os
import resource
import stat
import sys
from contextlib import suppress
from pathlib import Path

from gatewheel.guard import linux

NAMESPACES = {"mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000}
_NEW_USER = 0x10000000
BOX = "/box"  # the throw-away folder
# the uids that systemd keeps for services without an account (Users, Groups, UIDs and GIDs on systemd Systems)
_UIDS = range(61184, 65520)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
# Landlock's rights (linux/landlock.h): to run, write and read a file, to list a folder
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}


def enter_namespaces(*, without: tuple[str, ...] = ()) -> list[str]:
    """Leave the machine's mounts, network, message queues and name; the next child leaves its processes too.

    The names of those that could be left. Whoever is not root needs a name space of users first, and it is one of them.
    """
    left = []
    uid, gid = os.getuid(), os.getgid()
    if uid and "user" not in without:
        with suppress(OSError):
            linux.unshare(_NEW_USER)
            for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                write(f"/proc/self/{file}", text)
            left.append("user")
    for name in (name for name in NAMESPACES if name not in without):
        with suppress(OSError):
            linux.unshare(NAMESPACES[name])
            left.append(name)
    return left


def enter_own_root(place: str, *, size: int) -> None:
    """A file system in memory with Python's library, read-only, and BOX; nothing else of the machine is there.

    `place` is any folder, of which the machine sees nothing. Needs a mount name space of one's own. Raises OSError.
    """
    readable, hidden = library()
    linux.mount("", "/", "", _REC | _PRIVATE)
    copies = {path: linux.copied_mount(path, _RDONLY | _NOSUID | _NODEV) for path in readable}
    copies["/dev/null"] = linux.copied_mount("/dev/null", _NOSUID | _NOEXEC)
    options = f"size={size},nr_inodes=4096,mode=755"
    linux.mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, options)
    for path, copy in copies.items():
        _make_like(path, place + path)
        linux.attach(copy, place + path)
        os.close(copy)
    for path in hidden:
        linux.mount("tmpfs", place + path, "tmpfs", _RDONLY | _NOSUID | _NODEV, "size=4k,nr_inodes=1,mode=555")
    for link in map(Path, ("/lib", "/lib64", "/usr/lib64")):
        there = Path(f"{place}{link}")
        if link.is_symlink() and not there.is_dir():
            there.symlink_to(link.readlink())
    box = Path(place + BOX)
    box.mkdir()
    box.chmod(0o777)  # nobody but the program is there
    os.chdir(place)
    linux.enter_root()
    os.chdir(BOX)


def library() -> tuple[list[str], list[str]]:
    """What a program must read: the standard library and the folders of shared ones; and what it must not see of them.

    None of these paths lies inside of another one that is read.
    """
    standard = str(Path(os.__file__).parent)
    found = {standard, *(path for path in sys.path[:-1] if Path(path).is_dir())}  # the last is our own
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        mapped = Path(line.split(maxsplit=5)[5]) if "/" in line else Path()
        if ".so" in mapped.name and mapped.is_file():
            found.add(str(mapped.parent))
    found |= {str(path) for path in [Path("/etc/ld.so.cache")] if path.is_file()}
    outermost = [path for path in sorted(found) if not any(path.startswith(other + "/") for other in found)]
    packages = [f"{standard}/{name}" for name in ("site-packages", "dist-packages")]
    return outermost, [path for path in packages if Path(path).is_dir()]


def be_nobody(number: int) -> bool:
    """From root to a user that owns nothing, another one for another number; whether there was anything to leave."""
    if os.getuid():
        return False
    uid = _UIDS[number % len(_UIDS)]
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return True


def give_up_privileges() -> None:
    """No capability, and none ever again by whatever is executed. Raises OSError."""
    linux.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    linux.give_up_capabilities()


def limit(*, seconds: float, memory: int, file: int, threads: int | None) -> None:
    """Bytes of address space and of a file; threads, None where others count as ours; little of everything else."""
    for name, most in (
        ("AS", memory),
        ("CPU", int(seconds + 2) * (os.cpu_count() or 1)),
        ("FSIZE", file),
        ("NPROC", None if threads is None else threads + 2),  # this process and the one that watches it
        ("NOFILE", 64),
        ("CORE", 0),
        ("MEMLOCK", 0),
        ("MSGQUEUE", 0),
        ("SIGPENDING", 256),
    ):
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None and most is not None:
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))


def enter_landlock(*, own_root: bool) -> int:
    """Reading the library, and everything in BOX where there is one: all else about files is refused.

    So are TCP, abstract sockets and signals to others where the kernel can. The version of its interface; 0 if none.
    """
    import ctypes

    class Ruleset(ctypes.Structure):
        _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))

    try:
        version = linux.syscall(linux.LANDLOCK_CREATE, None, 0, 1)
    except OSError:
        return 0
    handled = _RIGHTS[min(version, 5)]
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = linux.syscall(linux.LANDLOCK_CREATE, Ruleset(handled, 3, 3), size, 0)
    readable, hidden = library_of_root() if own_root else library()
    allowed = {path: _READ | _LIST for whole in readable for path in _spread(whole, hidden)}
    allowed |= {"/dev/null": _READ | _WRITE} | ({BOX: handled} if own_root else {})
    for path, rights in allowed.items():
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights &= handled if stat.S_ISDIR(os.fstat(fd).st_mode) else handled & _OF_FILES
            linux.syscall(linux.LANDLOCK_ADD, rules, 1, Beneath(rights, fd), 0)
            os.close(fd)
    linux.syscall(linux.LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)
    return version


def library_of_root() -> tuple[list[str], list[str]]:
    """The same in a root of one's own, where only what may be read is."""
    return [str(path) for path in Path("/").iterdir() if path.name not in (BOX[1:], "dev")], []


def write(path: str, text: str) -> None:
    """Into a file of the kernel's, at once."""
    Path(path).write_text(text, encoding="ascii")


def _spread(path: str, hidden: list[str]) -> list[str]:
    """A path, or the parts of it without what is hidden in it."""
    if path in hidden:
        return []
    if not any(one.startswith(path + "/") for one in hidden):
        return [path]
    return [part for inner in Path(path).iterdir() for part in _spread(str(inner), hidden)]


def _make_like(path: str, target: str) -> None:
    made = Path(target)
    made.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_dir():
        made.mkdir(exist_ok=True)
    else:
        made.touch()
