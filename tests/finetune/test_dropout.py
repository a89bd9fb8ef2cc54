"""What a step leaves out of the pairs' inputs: as often as asked, and the same whoever computes it, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuning
from gatewheel.finetune import lora
from gatewheel.finetune.method import Tuned
from gatewheel.finetune.settings import Settings
from gatewheel.finetune.tokens import Row
from gatewheel.kernel.errors import Cancelled

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train

ROWS = [Row((5, 6, 7), 1, ""), Row((8, 9), 1, ""), Row((5, 6, 7, 8), 2, "")]


def test_an_example_has_the_same_left_out_wherever_it_stands_and_other_things_in_another_step() -> None:
    from gatewheel.finetune.dropout import Dropout

    settings = Settings(dropout=0.5)
    together, alone = Dropout.of(ROWS, 3, settings), Dropout.of(ROWS[1:2], 3, settings)
    assert together is not None
    assert alone is not None
    x = torch.zeros(9, 64)
    mask = together.mask(x, "one")
    assert torch.equal(mask[3:5], alone.mask(x[:2], "one"))
    assert torch.equal(mask, together.mask(x, "one"))
    assert not torch.equal(mask, together.mask(x, "two"))
    later, seeded = Dropout.of(ROWS, 4, settings), Dropout.of(ROWS, 3, Settings(dropout=0.5, seed=1))
    assert not any(torch.equal(mask, other.mask(x, "one")) for other in (later, seeded) if other)
    assert Dropout.of(ROWS, 3, Settings()) is None


def test_as_much_is_left_out_as_asked_and_the_rest_makes_up_for_it() -> None:
    from gatewheel.finetune.dropout import Dropout

    mask = Dropout(0.2, [1], [400]).mask(torch.zeros(400, 500), "one")
    assert float((mask == 0).float().mean()) == pytest.approx(0.2, abs=0.005)
    assert float(mask.mean()) == pytest.approx(1, abs=0.01)


def tuned(base: Path, folder: Path, *, end: int = 0, **said: object) -> Tuned:
    def watch(point: object) -> None:
        if end and getattr(point, "step", 0) == end:
            raise Cancelled("enough")

    settings = Settings.model_validate(
        {
            "rank": 4,
            "threads": 1,
            "precision": "float32",
            "samples": 0,
            "steps": 9,
            "batch": 4,
            "dropout": 0.3,
            "patience": 0,
            **said,
        }
    )
    return lora.create(settings).train(base, tuning.examples(20), folder=folder, watch=watch)


def test_a_tuning_that_is_gone_on_with_leaves_out_what_it_would_have_left_out(tmp_path: Path) -> None:
    base = tuning.write(tmp_path / "base")
    through, plain = tuned(base, tmp_path / "a"), tuned(base, tmp_path / "b", dropout=0.0)
    assert [point.loss for point in through.points] != [point.loss for point in plain.points]
    with pytest.raises(Cancelled):
        tuned(base, tmp_path / "c", end=5)
    again = tuned(base, tmp_path / "c")
    assert [point.loss for point in again.points] == [point.loss for point in through.points]
    split = tuned(base, tmp_path / "d", micro_tokens=30)
    for one, two in zip(through.points, split.points, strict=True):
        assert two.loss == (one.loss and pytest.approx(one.loss, rel=1e-4))
