"""A tuning that goes on from an adapter: it begins where that ended, however its pairs count, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tuning
from gatewheel.finetune import lora, qlora
from gatewheel.finetune.method import Point, Tuned
from gatewheel.finetune.settings import Settings
from gatewheel.kernel.errors import ModelError, UserError

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

SMALL: dict[str, Any] = {
    "rank": 4, "alpha": 8, "threads": 1, "precision": "float32", "samples": 0, "learning_rate": 0.01, "patience": 0,
    "steps": 12, "batch": 4, "evaluate_every": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuning.write(tmp_path_factory.mktemp("base"))


def tuned(base: Path, folder: Path, *, begins: Path | None = None, method: Any = lora, **said: Any) -> Tuned:
    made = replace(method.create(Settings(**{**SMALL, **said})), begins=begins)
    return made.train(base, tuning.examples(40), folder=folder)


@pytest.fixture(scope="module", params=[{}, {"dora": True}], ids=["lora", "dora"])
def first(request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuned, Any]:
    return tuned(base, tmp_path_factory.mktemp("first"), **request.param), request.param


def looks(made: Tuned) -> list[float]:
    return [point.validation for point in made.points if point.validation is not None]


@pytest.mark.parametrize("counted", [{}, {"alpha": 3.0}, {"rslora": True}], ids=str)
def test_it_begins_with_what_the_other_had_learned(
    base: Path, tmp_path: Path, first: tuple[Tuned, Any], counted: dict[str, Any]
) -> None:
    before, form = first
    assert before.validation is not None
    after = tuned(base, tmp_path, begins=before.adapter, **form, **counted)
    assert looks(after)[0] == pytest.approx(before.validation[1], rel=1e-4), "however much a pair counts"
    assert min(looks(after)) < before.validation[1], "and learns on"


def test_killed_it_goes_on_with_its_own_pairs_and_from_no_other_adapter(
    base: Path, tmp_path: Path, first: tuple[Tuned, Any]
) -> None:
    before, form = first
    whole = tuned(base, tmp_path / "whole", begins=before.adapter, **form)

    def leave(point: Point) -> None:
        if point.phase == "learning" and point.step == 8:
            raise RuntimeError("as if it were killed")

    made = replace(lora.create(Settings(**{**SMALL, **form, "checkpoint_every": 3})), begins=before.adapter)
    with pytest.raises(RuntimeError):
        made.train(base, tuning.examples(40), folder=tmp_path / "cut", watch=leave)
    for other in (None, tuned(base, tmp_path / "other", seed=1, **form).adapter):
        with pytest.raises(UserError, match="of a tuning with another base, other examples or other settings"):
            replace(made, begins=other).train(base, tuning.examples(40), folder=tmp_path / "cut")
    again = made.train(base, tuning.examples(40), folder=tmp_path / "cut")
    one, two = ((each.adapter / "adapter_model.safetensors").read_bytes() for each in (whole, again))
    assert one == two


def test_other_pairs_than_the_settings_ask_for_are_refused(base: Path, tmp_path: Path) -> None:
    before = tuned(base, tmp_path / "a", targets=("q_proj", "v_proj"))
    for said in ({}, {"targets": ("q_proj",)}, {"targets": ("q_proj", "v_proj"), "rank": 8}):
        with pytest.raises(ModelError, match="set rank, targets and dora to those that it was trained with"):
            tuned(base, tmp_path / "b", begins=before.adapter, **said)
    on = tuned(base, tmp_path / "c", begins=before.adapter, targets=("q_proj", "v_proj"), method=qlora)
    assert on.validation is not None
