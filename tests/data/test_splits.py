"""The split: the first word on a case stands for ever, in whatever order and by how many processes it is said."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gatewheel.data import origins, splits
from gatewheel.data.cases import split_key
from gatewheel.data.origins import Origin
from gatewheel.data.suites import Split
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.database import open_database

SPLITS: list[Split] = ["train", "holdout"]


def cases(*numbers: int) -> list[Case]:
    return [Case(id=f"c{number}", question=f"Question {number}?") for number in numbers]


def test_the_first_word_stands(engine: Engine) -> None:
    assert splits.assign(engine, cases(1, 2), "train") == 2
    assert splits.assign(engine, cases(2, 3), "train") == 1
    with pytest.raises(UserError, match="1 of 2 cases are for training already and cannot be held out") as error:
        splits.assign(engine, cases(3, 4), "holdout")
    assert error.value.what.endswith("such as 'Question 3?'")
    stands = splits.of(engine, map(split_key, cases(1, 2, 3, 4)))
    assert stands == {split_key(case): "train" for case in cases(1, 2, 3)}  # 4 was not entered either


def test_another_id_or_spelling_is_no_way_around(engine: Engine) -> None:
    splits.assign(engine, cases(1), "holdout")
    with pytest.raises(UserError):
        splits.assign(engine, [Case(id="new", question="  Question\n1?", tags=("x",))], "train")


def test_both_sides_are_entered_together_or_not_at_all(engine: Engine) -> None:
    assert splits.divide(engine, {"train": cases(1), "holdout": cases(2, 3)}) == 3
    with pytest.raises(UserError, match="cannot be"):
        splits.divide(engine, {"train": cases(4), "holdout": cases(5, 4)})
    with pytest.raises(UserError, match="1 of 3 cases are held out already"):
        splits.divide(engine, {"train": cases(6, 2), "holdout": cases(7)})
    assert len(splits.of(engine, map(split_key, cases(*range(8))))) == 3


def test_what_cases_were_made_of_is_entered_with_their_side_or_not_at_all(engine: Engine) -> None:
    found = [Origin(case=split_key(case), kind="trace", ref="t") for case in cases(1, 2, 3)]
    splits.assign(engine, cases(1, 2), "train", origins=found[:2])
    with pytest.raises(UserError):
        splits.assign(engine, cases(3, 1), "holdout", origins=found)
    assert origins.of(engine, [one.case for one in found]) == {one.case: [one] for one in found[:2]}


def test_confirming_enters_nothing(engine: Engine) -> None:
    splits.assign(engine, cases(1), "train")
    splits.confirm(engine, cases(1, 2), "train")
    with pytest.raises(UserError, match="1 of 2"):
        splits.confirm(engine, cases(1, 2), "holdout")
    assert len(splits.of(engine, map(split_key, cases(1, 2)))) == 1


def test_many_cases_are_entered_at_once(engine: Engine) -> None:
    many = cases(*range(12_000))
    assert splits.assign(engine, many, "train") == 12_000
    assert splits.assign(engine, many, "train") == 0
    with pytest.raises(UserError, match="12000 of 12000"):
        splits.assign(engine, many, "holdout")
    assert splits.assign(engine, [], "train") == 0


@settings(max_examples=30)
@given(st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=4), st.sampled_from(SPLITS)), max_size=8))
def test_any_sequence_of_words_leaves_what_a_plain_table_would(said: list[tuple[list[int], Split]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(Path(folder))
        table: dict[str, Split] = {}
        for numbers, split in said:
            keys = [split_key(case) for case in cases(*numbers)]
            if any(table.get(key, split) != split for key in keys):
                with pytest.raises(UserError):
                    splits.assign(engine, cases(*numbers), split)
            else:
                assert splits.assign(engine, cases(*numbers), split) == len(set(keys) - table.keys())
                table |= dict.fromkeys(keys, split)
            assert splits.of(engine, map(split_key, cases(*range(6)))) == table
        engine.dispose()


RACE = """
import sys
from pathlib import Path
from gatewheel.data import splits
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.database import open_database

folder, url, split = sys.argv[1:]
engine = open_database(Path(folder), url)
print("ready", flush=True)
sys.stdin.readline()
for number in range(200) if split == "train" else range(199, -1, -1):
    two = [Case(id=f"c{one}", question=f"Question {one}?") for one in (number, number + 1)]
    try:
        splits.assign(engine, two, split)
        print(number, flush=True)
    except UserError:
        pass
"""


def test_two_processes_never_put_a_case_on_both_sides(engine: Engine, store_url: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", RACE, str(tmp_path), store_url]
    racers = {
        split: subprocess.Popen([*words, split], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for split in SPLITS
    }
    for racer in racers.values():
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = {split: [int(line) for line in racer.communicate()[0].split()] for split, racer in racers.items()}
    assert [racer.returncode for racer in racers.values()] == [0, 0]
    sides = {split: {one for number in won[split] for one in (number, number + 1)} for split in SPLITS}
    assert not sides["train"] & sides["holdout"]
    assert len(sides["train"] | sides["holdout"]) >= 200  # where both met, neither may have got the one between
    stands = splits.of(engine, map(split_key, cases(*range(201))))
    for split in SPLITS:
        assert {key for key, side in stands.items() if side == split} == {split_key(c) for c in cases(*sides[split])}
