"""A process that was started for somebody ends with who started it, also when that one died first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

CHILD = """
import time
from gatewheel.kernel.parentage import end_with_parent
end_with_parent()
print("at work", flush=True)
time.sleep(99)
"""
AT_WORK = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""
BEFORE = """
import os, signal, subprocess, sys
subprocess.Popen([sys.executable, "-P", "-m", "gatewheel.loop.foreseeing", sys.argv[1], str(os.getpid())])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("parent", "said"), [(AT_WORK, CHILD), (BEFORE, "")], ids=["at work", "before it begins"])
def test_it_ends_with_its_parent(tmp_path: Path, parent: str, said: str) -> None:
    command = [sys.executable, "-c", parent, said or str(tmp_path)]
    reading, writing = os.pipe()  # never written to nor closed: it would wait for ever
    try:
        # the child has its standard error open, so this ends when the child has ended
        done = subprocess.run(command, stdin=reading, capture_output=True, timeout=60, check=False)
    finally:
        os.close(reading)
        os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
