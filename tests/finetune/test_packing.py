"""Which examples make a step, and how they are laid out."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.finetune.settings import Settings

torch = pytest.importorskip("torch", reason="needs the train extra")
pytestmark = pytest.mark.train


def rows(*lengths: int) -> list[object]:
    from gatewheel.finetune.tokens import Row

    return [Row(tuple(range(length)), length - 1, str(number)) for number, length in enumerate(lengths)]


def test_every_epoch_sees_each_example_once_in_an_order_of_its_own() -> None:
    from gatewheel.finetune.packing import step_rows

    held, settings = rows(*range(2, 12)), Settings(batch=5)
    steps = [[row.group for row in step_rows(held, number, settings)] for number in range(4)]  # type: ignore[arg-type]
    assert Counter(steps[0] + steps[1]) == Counter(steps[2] + steps[3]) == Counter(str(number) for number in range(10))
    assert steps[:2] != steps[2:]
    other = Settings(batch=5, seed=1)
    assert [row.group for row in step_rows(held, 0, other)] != steps[0]  # type: ignore[arg-type]


def test_packs_hold_no_more_than_they_may_and_lose_nothing() -> None:
    from gatewheel.finetune.packing import micro_batches

    held = rows(5, 9, 3, 20, 4, 4)
    packs = micro_batches(held, 12)  # type: ignore[arg-type]
    assert sorted(row.group for pack in packs for row in pack.rows) == list("012345")
    assert all(len(pack.rows) == 1 or pack.size <= 12 for pack in packs)
    assert len(packs) == 4
    assert all(len(pack.rows) == 1 for pack in micro_batches(held, 1))  # type: ignore[arg-type]


def test_what_examples_begin_with_stands_once_before_what_is_their_own() -> None:
    from gatewheel.finetune.packing import laid_out, micro_batches
    from gatewheel.finetune.tokens import Row

    said = tuple(range(100, 120))
    held = [Row((*said, 1, 2, 3), 22, "a"), Row((*said, 1, 4), 21, "b"), Row((*said, 5, 6), 21, "c")]
    (pack,) = micro_batches(held, 8)
    assert (pack.trunk, pack.size) == (20, 27)
    laid = laid_out(pack, torch.device("cpu"))
    assert laid.tokens.tolist() == [*said, 1, 2, 3, 1, 4, 5, 6]
    assert laid.lengths == (3, 2, 2)
    assert laid.asked.tolist() == [21, 23, 25]
    assert laid.wanted.tolist() == [3, 4, 6]
    assert [one.size for one in micro_batches(held, 8, trunks=False)] == [23, 22, 22]


rows_of_tokens = st.lists(
    st.tuples(st.sampled_from([0, 17, 40]), st.lists(st.integers(0, 2), min_size=2, max_size=30)),
    min_size=1,
    max_size=9,
)


@given(rows_of_tokens, st.integers(1, 60), st.randoms(use_true_random=False))
def test_packs_compute_no_more_than_each_by_itself_and_ask_for_every_reply(
    said: list[tuple[int, list[int]]], most: int, dice: Random
) -> None:
    from gatewheel.finetune.packing import laid_out, micro_batches
    from gatewheel.finetune.tokens import Row

    whole = [tuple(range(10, 10 + begin)) + tuple(own) for begin, own in said]
    held = [Row(tokens, dice.randint(1, len(tokens) - 1), str(at)) for at, tokens in enumerate(whole)]
    packs = micro_batches(held, most)
    assert Counter(row.group for pack in packs for row in pack.rows) == Counter(row.group for row in held)
    assert sum(pack.size for pack in packs) <= sum(map(len, whole))
    for pack in packs:
        assert pack.own <= most or len(pack.rows) == 1
        laid = laid_out(pack, torch.device("cpu"))
        assert laid.wanted.tolist() == [token for row in pack.rows for token in row.tokens[row.reply :]]
        place, read = pack.trunk, laid.tokens.tolist()
        for row, length in zip(pack.rows, laid.lengths, strict=True):
            assert (*read[: pack.trunk], *read[place : place + length]) == row.tokens
            place += length
