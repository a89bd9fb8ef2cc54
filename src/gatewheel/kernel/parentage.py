"""What a process that was started for somebody does when that one is no more: it ends too."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(how: signal.Signals = signal.SIGKILL, *, parent: int = 0) -> None:
    """This process gets the signal when the thread that started it ends, as prctl(2) of Linux has it; else nothing.

    `parent` is the id of who started it: where that one died before this was called, the signal comes at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), how)
