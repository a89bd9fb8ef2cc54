"""The kept conversion: made once, remade when damaged, shared by processes that start together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.models import openvino

MAKE = """
from gatewheel.models import openvino
openvino.create(openvino.Settings(threads=1), on_progress=print).close()
"""


@pytest.mark.slow
def test_it_is_made_once_by_processes_that_race_and_again_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path))
    racing = [
        subprocess.Popen([sys.executable, "-c", MAKE], env=os.environ | {"GATEWHEEL_CACHE": str(tmp_path)})
        for _ in range(2)
    ]
    assert [process.wait(200) for process in racing] == [0, 0]
    (folder,) = (tmp_path / "openvino").iterdir()  # one conversion, and no leftovers of the other

    told: list[str] = []
    openvino.create(openvino.Settings(threads=1), on_progress=told.append).close()
    assert told == []

    (folder / "openvino_model.bin").write_bytes(b"cut short")
    model = openvino.create(openvino.Settings(threads=1), on_progress=told.append)
    assert [line for line in told if line.startswith("converting")]
    assert model.chat([Message(role="user", content="Say hi")], decoding=Decoding(max_tokens=4)).text
    model.close()


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWHEEL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot keep the converted weights .*; set GATEWHEEL_CACHE"):
        openvino.create(openvino.Settings(threads=1))
