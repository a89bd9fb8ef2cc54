"""Several threads that compute one step: what is learned is what one thread learns, the same each time."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tuning
from gatewheel.finetune import lora, qlora
from gatewheel.finetune.method import Tuned
from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

SMALL: dict[str, Any] = {"rank": 4, "alpha": 8, "precision": "float32", "samples": 0, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuning.write(tmp_path_factory.mktemp("base"))


def tuned(base: Path, folder: Path, *, nf4: bool = False, **said: Any) -> Tuned:
    settings = Settings(**{**SMALL, "steps": 8, "batch": 5, "evaluate_every": 4, **said})
    return (qlora if nf4 else lora).create(settings).train(base, tuning.examples(40), folder=folder)


@pytest.mark.parametrize("form", [{}, {"dora": True}, {"dropout": 0.3}, {"nf4": True}, {"batch": 1}], ids=str)
def test_three_threads_learn_what_one_does(base: Path, tmp_path: Path, form: dict[str, Any]) -> None:
    one, three = (tuned(base, tmp_path / str(threads), threads=threads, **form) for threads in (1, 3))
    for name, close in (("loss", 1e-4), ("validation", 1e-4), ("gradient_norm", 1e-3)):
        alone, together = ([getattr(point, name) for point in made.points] for made in (one, three))
        assert together == [value if value is None else pytest.approx(value, rel=close) for value in alone]


def test_whichever_thread_is_quicker_the_bytes_are_the_same(base: Path, tmp_path: Path) -> None:
    first, again = (tuned(base, tmp_path / name, threads=2, micro_tokens=16).adapter for name in "ab")
    name = "adapter_model.safetensors"
    assert (first / name).read_bytes() == (again / name).read_bytes()


def test_what_one_thread_raises_comes_when_all_have_ended(base: Path) -> None:
    from gatewheel.finetune.hands import Hands
    from gatewheel.finetune.plan import prepare

    model = prepare(base, tuning.examples(10), Settings(**SMALL), nf4=False).load()
    failed, ended = threading.Event(), []

    def compute(_: Any, item: int) -> float:
        if item == 0:
            failed.set()
            raise MemoryError("no room")
        assert failed.wait(60)
        ended.append(item)
        return float(item)

    with closing(Hands(model, 2, threads=2)) as hands:
        with pytest.raises(MemoryError, match="no room"):
            hands.total([[0, 1], [2, 3]], compute)
        assert ended == [2, 3]
        assert hands.total([[], [4]], compute) == 4.0
