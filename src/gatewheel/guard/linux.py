"""The system calls of Linux that Python has no function for, by ctypes. A failure is an OSError with its errno."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_EMPTY_PATH, AT_RECURSIVE = 0x1000, 0x8000
# the same number on every architecture (include/uapi/asm-generic/unistd.h)
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446


def syscall(number: int, *arguments: int | bytes | ctypes.Structure | None) -> int:
    """A system call by its number; a structure is handed over by its address, a number as a long."""
    given = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else _plain(a) for a in arguments]
    return checked(_LIBC.syscall(ctypes.c_long(number), *given))


def prctl(option: int, *arguments: int | ctypes.Structure) -> int:
    """prctl(2)"""
    given = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else ctypes.c_ulong(a) for a in arguments]
    return checked(_LIBC.prctl(option, *given, *[ctypes.c_ulong(0)] * (4 - len(given))))


def unshare(flag: int) -> None:
    """unshare(2)"""
    checked(_LIBC.unshare(flag))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)"""
    texts = [text.encode() or None for text in (source, target, kind)]
    checked(_LIBC.mount(*texts, ctypes.c_ulong(flags), options.encode() or None))


def copied_mount(path: str, attributes: int) -> int:
    """A file descriptor of a copy of what is mounted at a path, attached to nothing, with attributes set throughout."""

    class MountAttributes(ctypes.Structure):
        _fields_ = (("words", ctypes.c_uint64 * 4),)  # to set, to clear, propagation, user name space

    fd = syscall(_OPEN_TREE, AT_FDCWD, path.encode(), 1 | AT_RECURSIVE | os.O_CLOEXEC)  # OPEN_TREE_CLONE
    try:
        syscall(_MOUNT_SETATTR, fd, b"", AT_EMPTY_PATH | AT_RECURSIVE, MountAttributes((attributes, 0, 0, 0)), 32)
    except OSError:
        os.close(fd)
        raise
    return fd


def attach(copy: int, target: str) -> None:
    """Mount a copy where a file or folder is."""
    syscall(_MOVE_MOUNT, copy, b"", AT_FDCWD, target.encode(), 4)  # MOVE_MOUNT_F_EMPTY_PATH


def enter_root() -> None:
    """Make the working directory, at which something is mounted, the root; what was the root is no more to be seen."""
    if not hasattr(_LIBC, "pivot_root"):  # musl has none
        syscall({"x86_64": 155, "aarch64": 41}[os.uname().machine], b".", b".")
    else:
        checked(_LIBC.pivot_root(b".", b"."))
    checked(_LIBC.umount2(b".", 2))  # MNT_DETACH
    os.chdir("/")


def give_up_capabilities() -> None:
    """An empty set of every kind (capset(2), version 3)."""

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Sets(ctypes.Structure):
        _fields_ = (("words", ctypes.c_uint32 * 6),)

    checked(_LIBC.capset(ctypes.byref(Header(0x20080522, 0)), ctypes.byref(Sets())))


def checked(result: int) -> int:
    """The result of a call of libc. Raises OSError where it is below 0."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def _plain(argument: int | bytes | None) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
