"""Which examples make a step, and how they are laid out."""

from __future__ import annotations

from collections import Counter

import pytest

from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train


def rows(*lengths: int) -> list[object]:
    from gatewheel.finetune.tokens import Row

    return [Row(tuple(range(length)), length - 1, str(number)) for number, length in enumerate(lengths)]


def test_every_epoch_sees_each_example_once_in_an_order_of_its_own() -> None:
    from gatewheel.finetune.packing import step_rows

    held, settings = rows(*range(2, 12)), Settings(batch=5)
    steps = [[row.case for row in step_rows(held, number, settings)] for number in range(4)]  # type: ignore[arg-type]
    assert Counter(steps[0] + steps[1]) == Counter(steps[2] + steps[3]) == Counter(str(number) for number in range(10))
    assert steps[:2] != steps[2:]
    other = Settings(batch=5, seed=1)
    assert [row.case for row in step_rows(held, 0, other)] != steps[0]  # type: ignore[arg-type]


def test_micro_batches_hold_no_more_than_they_may_and_lose_nothing() -> None:
    from gatewheel.finetune.packing import micro_batches

    held = rows(5, 9, 3, 20, 4, 4)
    groups = list(micro_batches(held, 12))  # type: ignore[arg-type]
    assert sorted(row.case for group in groups for row in group) == list("012345")
    assert sorted(sum(len(row.tokens) for row in group) for group in groups) == [12, 13 - 4, 20] or len(groups) == 4
    assert all(len(group) == 1 or sum(len(row.tokens) for row in group) <= 12 for group in groups)
    assert all(len(group) == 1 for group in micro_batches(held, 1))  # type: ignore[arg-type]


def test_the_places_that_carry_loss_are_those_of_the_replies() -> None:
    from gatewheel.finetune.packing import laid_out

    tokens, lengths, replies = laid_out(rows(3, 2), torch.device("cpu"))  # type: ignore[arg-type]
    assert tokens.tolist() == [0, 1, 2, 0, 1]
    assert lengths == [3, 2]
    assert replies.tolist() == [2, 4]
