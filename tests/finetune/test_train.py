"""A tuning from examples to an adapter: it learns, goes on after kill -9 as if nothing had been, and keeps the best."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import tuning
from gatewheel.finetune import lora
from gatewheel.finetune.method import Point, Tuned
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import Cancelled, UserError
from gatewheel.models import adapters

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

SMALL: dict[str, Any] = {
    "rank": 4,
    "alpha": 8,
    "threads": 1,
    "precision": "float32",
    "samples": 0,
    "learning_rate": 0.01,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuning.write(tmp_path_factory.mktemp("base"))


def tuned(base: Path, folder: Path, watch: Any = None, *, count: int = 40, told: str = "", **said: Any) -> Tuned:
    settings = Settings(**{**SMALL, "steps": 12, "batch": 4, **said})
    return lora.create(settings).train(base, tuning.examples(count, told=told), folder=folder, watch=watch)


def weights(made: Tuned) -> bytes:
    return (made.adapter / "adapter_model.safetensors").read_bytes()


def test_it_learns_and_says_what_it_did(base: Path, tmp_path: Path) -> None:
    points: list[Point] = []
    made = tuned(base, tmp_path, points.append, steps=60, samples=1, patience=0)
    assert made.validation is not None
    first, best, _ = made.validation
    assert best < 0.8 * first
    assert (made.examples, made.kept, made.cut, made.left_out) == (36, 4, 0, 0)
    assert [point.step for point in points if point.phase == "learning"] == list(range(1, 61))
    assert sum(point.phase == "looking" for point in points) == 11
    assert points[-1].phase == "done"
    assert points[-1].told == made.advice != ""
    assert made.samples[0].reply
    adapter = adapters.read(made.adapter)
    assert (adapter.rank, adapter.alpha, len(adapter.pairs)) == (4, 8, 14)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(base: Path, tmp_path: Path) -> None:
    first = weights(tuned(base, tmp_path / "a"))
    assert weights(tuned(base, tmp_path / "b")) == first
    assert weights(tuned(base, tmp_path / "c", seed=1)) != first


@pytest.mark.parametrize("other", [{"packing": False}, {"micro_tokens": 40}, {"threads": 2}], ids=str)
@pytest.mark.parametrize("told", ["", "this is what all of them are told. "], ids=["", "trunk"])
def test_a_step_is_the_same_however_it_is_computed(
    base: Path, tmp_path: Path, told: str, other: dict[str, Any]
) -> None:
    whole, parts = tuned(base, tmp_path / "a", told=told), tuned(base, tmp_path / "b", told=told, **other)
    for name, close in (("loss", 1e-4), ("validation", 1e-4), ("gradient_norm", 1e-3)):
        one, two = ([getattr(point, name) for point in made.points] for made in (whole, parts))
        assert [value or 0 for value in one] == pytest.approx([value or 0 for value in two], rel=close)


@pytest.mark.parametrize("dora", [False, True])
def test_a_step_leaves_nothing_behind_but_the_pairs(base: Path, dora: bool) -> None:
    from gatewheel.finetune.loading import Loader
    from gatewheel.models.dense import open_dense

    model = Loader(open_dense(base), Settings(dora=dora), nf4=False, dtype=torch.float32).load()
    model.refresh()
    for linear in model.linears():  # what keeps a graph keeps every step of a tuning
        kept = [each for each in vars(linear).values() if isinstance(each, torch.Tensor) and each.grad_fn is not None]
        assert not kept


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import test_train
def watch(point):
    if point.phase == "learning" and point.step == 8:
        os.kill(os.getpid(), signal.SIGKILL)
test_train.tuned(Path(sys.argv[1]), Path(sys.argv[2]), watch, checkpoint_every=3)
"""


def test_a_killed_tuning_goes_on_as_if_nothing_had_been(base: Path, tmp_path: Path) -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(base), str(tmp_path / "killed"), str(here)]
    environment = {"PYTHONPATH": str(here.parent), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    seen: list[int] = []
    again = tuned(base, tmp_path / "killed", lambda point: seen.append(point.step), checkpoint_every=3)
    assert min(step for step in seen if step) == 7  # the checkpoint is of step 6
    through = tuned(base, tmp_path / "through", checkpoint_every=3)
    assert weights(again) == weights(through)
    assert [point.loss for point in again.points] == [point.loss for point in through.points]


def test_a_checkpoint_of_another_tuning_is_refused(base: Path, tmp_path: Path) -> None:
    tuned(base, tmp_path)
    with pytest.raises(UserError, match="another base, other examples or other settings"):
        tuned(base, tmp_path, learning_rate=0.02)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"cut sh")
    with pytest.raises(UserError, match="delete it"):
        tuned(base, tmp_path)


def test_asked_to_stop_it_keeps_what_it_has_and_cancelled_it_leaves_a_checkpoint(base: Path, tmp_path: Path) -> None:
    made = tuned(base, tmp_path / "asked", lambda point: point.step == 5)
    assert (made.stopped, made.steps) == ("asked", 5)
    assert made.points[-1].validation is not None

    def cancel(point: Point) -> None:
        if point.step == 5 and point.phase == "learning":
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tuned(base, tmp_path / "cancelled", cancel)
    assert weights(tuned(base, tmp_path / "cancelled")) == weights(tuned(base, tmp_path / "through"))


def test_it_stops_early_and_gives_the_best_pairs(base: Path, tmp_path: Path) -> None:
    form = {"steps": 200, "evaluate_every": 5, "patience": 2, "count": 16, "learning_rate": 0.05, "seed": 1}
    made = tuned(base, tmp_path, **form)
    assert made.stopped == "early"
    assert made.validation is not None
    _, best, last = made.validation
    assert best < last
    assert made.best_step == made.steps - 10
    assert "memorising" in made.advice
    again = tuned(base, tmp_path, **form)  # killed before its adapter was kept, it has nothing more to learn
    assert (again.stopped, again.steps, weights(again)) == ("early", made.steps, weights(made))


def test_without_validation_the_last_pairs_are_kept(base: Path, tmp_path: Path) -> None:
    made = tuned(base, tmp_path, validation=0.0)
    assert made.validation is None
    assert made.best_step == made.steps == 12
    assert "validation" in made.advice


@pytest.mark.parametrize(
    ("alpha", "said"), [(1e38, "its gradient has the norm inf"), (3e19, "the validation examples after step 2 is nan")]
)
def test_a_rate_that_leads_nowhere_is_told_and_no_point_of_it(
    base: Path, tmp_path: Path, alpha: float, said: str
) -> None:
    seen: list[Point] = []
    with pytest.raises(UserError, match=f"{said}; lower learning_rate, which is 1"):
        tuned(base, tmp_path, seen.append, learning_rate=1.0, alpha=alpha, evaluate_every=1)
    json.dumps([asdict(point) for point in seen], allow_nan=False)  # as it is told over HTTP
