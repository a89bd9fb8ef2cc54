"""Two processes learn what one learns, are watched as one is, and end together."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
import letters
import tuning
from gatewheel.finetune import lora
from gatewheel.finetune.method import Point, Task, Tuned
from gatewheel.finetune.packing import dealt
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row
from gatewheel.kernel.errors import Cancelled, MissingPart, ModelError, UserError
from gatewheel.kernel.settings import ScaleSettings
from gatewheel.loop.tuning import Wanted, tune
from gatewheel.models import adapters

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

TWO = ScaleSettings(workers=2)


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a machine without CUDA, for two cannot share one device."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuning.write(tmp_path_factory.mktemp("base"))


LEFT_BEHIND = """
import multiprocessing, os, signal, sys
from pathlib import Path
import test_spread

def watch(point):
    print(len(multiprocessing.active_children()), "are at work", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    test_spread.tuned(Path(sys.argv[1]), Path(sys.argv[2]), watch, scale=test_spread.TWO)
"""


def tuned(base: Path, folder: Path, watch: Any = None, *, scale: ScaleSettings | None = None) -> Tuned:
    settings = Settings(
        rank=4, alpha=8, threads=1, precision="float32", samples=1, learning_rate=0.01, steps=12, batch=5, dropout=0.1,
        checkpoint_every=3,
    )  # fmt: skip
    method = lora.create(settings)
    return method.train(base, tuning.examples(40), folder=folder, watch=watch, scale=scale or ScaleSettings(workers=1))


@pytest.fixture
def one(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return tuned(base, tmp_path_factory.mktemp("one"))


def test_rows_are_dealt_whole_and_evenly() -> None:
    rows = [Row((1,) * length, 1, "") for length in (9, 2, 5, 4, 7, 3)]
    shares = dealt(rows, 3)
    assert sorted(len(row.tokens) for share in shares for row in share) == [2, 3, 4, 5, 7, 9]
    assert [sum(len(row.tokens) for row in share) for share in shares] == [11, 10, 9]
    assert dealt(rows[:1], 2) == [rows[:1], []]


def test_two_processes_learn_what_one_learns_and_are_watched_here(base: Path, one: Tuned, tmp_path: Path) -> None:
    seen: list[Point] = []
    two = tuned(base, tmp_path, seen.append, scale=TWO)
    for name in ("loss", "validation", "gradient_norm"):
        alone, shared = ([getattr(point, name) or 0 for point in made.points] for made in (one, two))
        assert shared == pytest.approx(alone, rel=1e-5)
    assert [(point.phase, point.step) for point in seen[1:-1]] == [(point.phase, point.step) for point in two.points]
    assert (two.steps, two.tokens, two.stopped, two.samples) == (one.steps, one.tokens, one.stopped, one.samples)
    pairs = [adapters.read(made.adapter).pairs for made in (one, two)]
    for module, values in pairs[0].items():
        for alone, shared in zip(values, pairs[1][module], strict=True):
            assert shared == pytest.approx(alone, rel=1e-3, abs=1e-5)
    assert not multiprocessing.active_children()


def test_cancelled_they_leave_a_checkpoint_and_when_one_dies_it_is_said_which(
    base: Path, one: Tuned, tmp_path: Path
) -> None:
    def cancel(point: Point) -> None:
        if point.step == 5:
            raise Cancelled("enough")

    def kill(point: Point) -> None:
        seen.append(point.step)
        if point.step == 8:
            second = next(process for process in multiprocessing.active_children() if process.name == "tuning 1")
            os.kill(second.pid or 0, signal.SIGKILL)

    seen: list[int] = []
    with pytest.raises(Cancelled):
        tuned(base, tmp_path, cancel, scale=TWO)
    with pytest.raises(ModelError, match="process 1 of the 2 that share the tuning was ended by SIGKILL"):
        tuned(base, tmp_path, kill, scale=TWO)
    assert min(step for step in seen if step) == 6  # the checkpoint is that of the cancelled one
    assert not multiprocessing.active_children()
    again = tuned(base, tmp_path)  # by one: how many there are is no part of what is learned
    assert [point.loss or 0 for point in again.points] == pytest.approx(
        [point.loss or 0 for point in one.points], rel=1e-5
    )


def test_they_end_with_the_process_that_watches_them(base: Path, tmp_path: Path) -> None:
    (tmp_path / "left.py").write_text(LEFT_BEHIND)
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(tmp_path / "left.py"), str(base), str(tmp_path / "out")]
    # its children have its output open, so this ends when they have ended
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == "2 are at work\n"


def test_what_one_of_them_refuses_is_told_where_it_is_watched(base: Path, tmp_path: Path) -> None:
    from gatewheel.finetune.spread import take_part

    (tmp_path / "checkpoint.safetensors").write_bytes(b"cut sh")
    here, there = multiprocessing.Pipe()
    here.send(False)  # the answer to its first point
    settings = Settings(threads=1)
    task = Task(base=base, examples=tuple(tuning.examples(9)), settings=settings, nf4=False, folder=tmp_path)
    take_part(task, there, shard=False)
    told = [here.recv(), here.recv()]
    assert (told[0].phase, type(told[1]), told[1].cure) == (
        "reading",
        UserError,
        "delete it; the tuning then starts anew",
    )


def test_two_processes_do_not_share_a_device(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"workers = 2, and this machine has 1 CUDA device; set it to 1 or less"):
        tuned(base, tmp_path, scale=TWO)


def test_a_base_is_not_divided_among_one(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shard = true divides the base among processes, and there is one; set workers"):
        tuned(base, tmp_path, scale=ScaleSettings(shard=True))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_it_is_said_how_to_get_it(base: Path, tmp_path: Path) -> None:
    said = r"Ray, which is not installed; pip install 'gatewheel\[scale\]'"
    with pytest.raises(MissingPart, match=said):
        tuned(base, tmp_path, scale=ScaleSettings(train="ray"))
    home = letters.written(tmp_path / "project")
    with (home / "gatewheel.toml").open("a") as file:
        file.write('[scale]\ntrain = "ray"\n')
    with gw.open(home) as project, pytest.raises(MissingPart, match=said):  # the table of a project decides
        tune(project.parts, Wanted(data="letters-train"), run="one")
