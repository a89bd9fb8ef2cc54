"""Which groups are kept to validate on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewheel.finetune.division import kept
from gatewheel.finetune.settings import Settings

sizes = st.lists(st.integers(1, 12), min_size=1, max_size=30)


def groups(counts: list[int]) -> list[str]:
    return [f"group {number}" for number, count in enumerate(counts) for _ in range(count)]


@given(sizes, st.sampled_from([0.0, 0.1, 0.3, 0.5]), st.integers(0, 3))
def test_something_is_always_left_to_learn_from(counts: list[int], share: float, seed: int) -> None:
    named = groups(counts)
    found = kept(named, Settings(validation=share, seed=seed))
    taken = sum(group in found for group in named)
    assert taken <= max(round(share * len(named)), len(named) / 3)
    assert taken < len(named)
    if not share:
        assert not found


def test_about_the_share_is_kept_where_groups_are_small() -> None:
    named = groups([2, 1, 3] * 50)
    taken = sum(group in kept(named, Settings(validation=0.1)) for group in named)
    assert 27 <= taken <= 33


def test_what_was_learned_is_hardly_ever_kept_when_the_data_grow() -> None:
    before, after = (kept(groups([1] * count), Settings(validation=0.1)) for count in (200, 220))
    assert len(before - after) <= 3
    learned = {f"group {number}" for number in range(200)} - before
    assert len(after & learned) <= 3


def test_another_seed_keeps_others() -> None:
    named = groups([1] * 60)
    assert kept(named, Settings(seed=1)) != kept(named, Settings(seed=2))
