"""Which system calls a program in the sandbox may make: a list of what is allowed, as a filter that the kernel keeps.

Not on it, and so refused: sockets to anybody, new processes and programs, signals to others, tracing, mounts,
namespaces, keys, io_uring, BPF, and whatever a later kernel adds. Numbers: Linux' arch/*/syscalls and asm-generic.
"""

from __future__ import annotations

import ctypes
import os

from gatewheel.guard import linux

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ARCHITECTURES = tuple(_AUDIT)
NUMBERS = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, lseek 8 62, close 3 57,
close_range 436 436, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, creat 85 -,
stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44, access 21 -,
faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78, getdents 78 -, getdents64 217 61,
getcwd 79 17, chdir 80 49, fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35,
rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
ftruncate 77 46, fallocate 285 47, fsync 74 82, fdatasync 75 83, sendfile 40 71, copy_file_range 326 285,
flock 73 32, umask 95 166, mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, brk 12 214,
membarrier 324 283, exit 60 93, exit_group 231 94, wait4 61 260, waitid 247 95, set_tid_address 218 96,
set_robust_list 273 99, rseq 334 293, arch_prctl 158 -, futex 202 98, sched_yield 24 124, getcpu 309 168,
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigsuspend 130 133,
rt_sigtimedwait 128 137, sigaltstack 131 132, restart_syscall 219 128, pause 34 -, alarm 37 -, setitimer 38 103,
getitimer 36 102, nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114,
gettimeofday 96 169, time 201 -, times 100 153, getrusage 98 165, getrandom 318 278, uname 63 160, sysinfo 99 179,
getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177,
getresuid 118 148, getresgid 120 150, getgroups 115 158, getpgrp 111 -, setsid 112 157, getrlimit 97 163,
setrlimit 160 164, poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20,
epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd 284 -, eventfd2 290 19, timerfd_create 283 85,
timerfd_settime 286 86, timerfd_gettime 287 87, sendto 44 206, recvfrom 45 207, sendmsg 46 211, recvmsg 47 212,
shutdown 48 210, getsockname 51 204, getsockopt 55 209
"""
# neither Landlock nor the name space of a same user keeps these from files outside, so only behind a root of one's own
NUMBERS_OF_FILES = """
truncate 76 45, chmod 90 -, fchmod 91 52, fchmodat 268 53, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -
"""
CLONE_THREAD = 0x10000
_OPENING = os.O_TRUNC | 3
# opened for reading, or for neither, a file is emptied all the same; a Landlock before Linux 6.2 asks of writing alone
_OPENED = (0, 1, 2, os.O_TRUNC | 1, os.O_TRUNC | 2)
# name and numbers, which argument, the bits of it that count, what they may be; None stands for the own process
_BY_ARGUMENT: tuple[tuple[str, int, int, tuple[int | None, ...]], ...] = (
    ("clone 56 220", 0, CLONE_THREAD, (CLONE_THREAD,)),
    ("open 2 -", 1, _OPENING, _OPENED),
    ("openat 257 56", 2, _OPENING, _OPENED),
    ("kill 62 129", 0, 0xFFFFFFFF, (None,)),
    ("tgkill 234 131", 0, 0xFFFFFFFF, (None,)),
    ("prlimit64 302 261", 0, 0xFFFFFFFF, (0,)),
    ("sched_getaffinity 204 123", 0, 0xFFFFFFFF, (0,)),
    ("socketpair 53 199", 1, 0xF, (1,)),  # streams, with a loop of asyncio; a datagram could name another receiver
    ("fcntl 72 25", 1, 0xFFFFFFFF, (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)),  # not whom to signal when something comes
    ("ioctl 16 29", 1, 0xFFFFFFFF, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),  # is it a terminal, how wide
)
_KILL, _ALLOW, _ERROR = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_UNIFIED = 424  # from here on libc tries the new call first, and takes "no such call" for "use the old one"
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
Line = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def known(machine: str) -> bool:
    """Whether there is a list for this architecture, as `os.uname().machine` names it."""
    return machine in _AUDIT


def allowed(table: str, machine: str) -> dict[str, int]:
    """Names with their numbers on an architecture."""
    at = 1 + _ARCHITECTURES.index(machine)
    rows = (row.split() for row in table.split(","))
    return {row[0]: int(row[at]) for row in rows if row[at] != "-"}


def program(machine: str, *, own_root: bool, pid: int) -> list[Line]:
    """The filter for the process `pid`, as lines of classic BPF."""
    numbers = allowed(NUMBERS, machine) | (allowed(NUMBERS_OF_FILES, machine) if own_root else {})
    lines: list[Line] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _AUDIT[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    for number in numbers.values():
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for named, argument, bits, values in _BY_ARGUMENT:
        for number in allowed(named, machine).values():
            # the kernel takes these arguments as 32 bits, and so does the filter: the low half of a little-endian long
            lines += [(_EQUAL, 0, 3 + 2 * len(values), number), (_LOAD, 0, 0, 16 + 8 * argument), (_AND, 0, 0, bits)]
            for value in values:
                lines += [(_EQUAL, 0, 1, pid if value is None else value), (_RETURN, 0, 0, _ALLOW)]
            lines += [(_RETURN, 0, 0, _ERROR | _EPERM)]
    return [*lines, (_AT_LEAST, 0, 1, _UNIFIED), (_RETURN, 0, 0, _ERROR | _ENOSYS), (_RETURN, 0, 0, _ERROR | _EPERM)]


def install(*, own_root: bool) -> None:
    """Bind this process, and all its threads to come, for ever. Raises OSError where the kernel has no filters."""

    class Filter(ctypes.Structure):
        _fields_ = (("code", ctypes.c_uint16), ("t", ctypes.c_uint8), ("f", ctypes.c_uint8), ("k", ctypes.c_uint32))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Filter)))

    lines = program(os.uname().machine, own_root=own_root, pid=os.getpid())
    filters = (Filter * len(lines))(*(Filter(*line) for line in lines))
    linux.prctl(22, 2, Program(len(lines), filters))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
