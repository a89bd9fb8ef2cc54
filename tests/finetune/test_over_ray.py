"""Ray Train runs the same tuning on a Ray of this machine, and what goes wrong there is told here."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import tuning
from gatewheel.finetune import lora
from gatewheel.finetune.method import Point, Tuned
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import Cancelled, ModelError
from gatewheel.kernel.settings import ScaleSettings

pytest.importorskip("torch", reason="needs the train extra")
ray = pytest.importorskip("ray", reason="needs the scale extra")
pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RAY = ScaleSettings(train="ray", workers=2, shard=True)


def tuned(base: Path, folder: Path, watch: Any = None, *, scale: ScaleSettings = RAY) -> Tuned:
    settings = Settings(rank=4, threads=1, precision="float32", samples=1, learning_rate=0.01, steps=12, batch=5)
    return lora.create(settings).train(base, tuning.examples(40), folder=folder, watch=watch, scale=scale)


def test_two_processes_of_ray_learn_what_one_learns_and_are_stopped_from_here(tmp_path: Path) -> None:
    base = tuning.write(tmp_path / "base")
    one = tuned(base, tmp_path / "one", scale=ScaleSettings(workers=1))
    seen: list[Point] = []
    asked = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as whoever wants a checkpoint first

    def cancel(point: Point) -> None:
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        if point.step == 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tuned(base, tmp_path / "two", cancel)
    signal.signal(signal.SIGTERM, asked)
    two = tuned(base, tmp_path / "two", seen.append)
    for name in ("loss", "validation"):
        alone, shared = ([getattr(point, name) or 0 for point in made.points] for made in (one, two))
        assert shared == pytest.approx(alone, rel=1e-5)
    assert next(point.step for point in seen if point.step) == 6
    assert two.samples == one.samples
    assert not ray.is_initialized()


def test_a_process_of_ray_that_is_killed_ends_the_tuning_with_what_ray_says(tmp_path: Path) -> None:
    base = tuning.write(tmp_path / "base")

    def kill(point: Point) -> None:
        if point.step == 3:
            for state in Path("/proc").glob("[0-9]*/cmdline"):
                if b"ray::" in (name := state.read_bytes()) and b"TrainWorker" in name:
                    os.kill(int(state.parent.name), signal.SIGKILL)
                    return

    with pytest.raises(ModelError, match="Ray gave up the tuning"):
        tuned(base, tmp_path / "out", kill)
    assert not ray.is_initialized()
