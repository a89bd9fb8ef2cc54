"""Objects are whole or not there, and what they hold is what was put."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.store.objects import Objects

WRITER = """
import sys
from pathlib import Path
from gatewheel.kernel.store.objects import Objects
objects, number = Objects(Path(sys.argv[1])), 0
while True:
    objects.put(str(number).encode() * 400_000 for _ in range(3))
    number += 1
"""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(pieces=st.lists(st.binary(max_size=200), max_size=5))
def test_a_stream_and_its_bytes_are_one_object(tmp_path: Path, pieces: list[bytes]) -> None:
    objects = Objects(tmp_path)
    whole = b"".join(pieces)
    assert objects.put(iter(pieces)) == objects.put(whole) == hashlib.sha256(whole).hexdigest()
    assert objects.get(hashlib.sha256(whole).hexdigest()) == whole


def test_damage_is_noticed(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    name = objects.put(b"words")
    objects.path(name).write_bytes(b"other")
    with pytest.raises(ProjectError, match="damaged"):
        objects.get(name)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "g" * 64, "A" * 64])
def test_only_a_digest_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="not a SHA-256"):
        Objects(tmp_path).get(name)


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"half"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Objects(tmp_path).put(broken())  # type: ignore[arg-type]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_kill_9_leaves_only_whole_objects(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    end = time.monotonic() + 30
    while time.monotonic() < end and len(list(tmp_path.glob("??/*"))) < 5:
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    found = list(tmp_path.glob("??/*"))
    assert len(found) >= 5
    for path in found:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
