"""Versions: the same cases are the same version, whole or not there, and what is loaded is what was frozen."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from gatewheel.data import datasets, origins
from gatewheel.data.cases import identity, split_key
from gatewheel.data.origins import Origin
from gatewheel.kernel.errors import ProjectError, UserError
from gatewheel.kernel.nouns import Case, Message
from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.learning import taints
from gatewheel.kernel.store.objects import Objects

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
CASES = st.lists(
    st.builds(
        Case,
        id=st.sampled_from(["", "a", "b"]),
        question=st.sampled_from(["Who?", "When?", " who? "]) | TEXT.filter(str.strip),
        references=st.lists(st.sampled_from(["x", "y"]) | TEXT.filter(str.strip), max_size=2).map(tuple),
        answerable=st.booleans(),
        history=st.lists(st.builds(Message, role=st.just("user"), content=TEXT), max_size=2).map(tuple),
        tags=st.lists(st.sampled_from(["t", "u"]), max_size=2, unique=True).map(tuple),
        meta=st.dictionaries(TEXT, st.integers() | TEXT | st.lists(TEXT, max_size=2), max_size=2),
    ),
    min_size=1,
    max_size=6,
)
FREEZER = """
import sys
from pathlib import Path
from gatewheel.data import datasets
from gatewheel.data.origins import Origin
from gatewheel.data.cases import split_key
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.objects import Objects
folder, number = Path(sys.argv[1]), 0
engine, objects = open_database(folder), Objects(folder / "objects")
while True:
    cases = [Case(id="", question=f"Question {number} {at}?", references=("x",)) for at in range(200)]
    found = [Origin(case=split_key(case), kind="file", ref=f"{number}") for case in cases]
    made = datasets.freeze(engine, objects, "many", cases, origins=found)
    print(made.id, flush=True)
    number += 1
"""


def cases(*numbers: int) -> list[Case]:
    return [Case(id="", question=f"Question {number}?", references=(f"{number}",)) for number in numbers]


def known(some: object) -> list[str]:
    return sorted(case.question for case in some)  # type: ignore[attr-defined]


def test_what_is_frozen_is_listed_found_and_loaded(engine: Engine, tmp_path: Path) -> None:
    objects = Objects(tmp_path / "objects")
    first = datasets.freeze(engine, objects, "study", cases(1, 2), card={"a": 1})
    second = datasets.freeze(engine, objects, "study", cases(1, 2, 3))
    other = datasets.freeze(engine, objects, "other", cases(4))
    assert (first.name, first.cases, first.card, first.tainted) == ("study", 2, {"a": 1}, ())
    assert [one.id for one in datasets.versions(engine, "study")] == [second.id, first.id]
    assert {one.id for one in datasets.versions(engine)} == {first.id, second.id, other.id}
    assert datasets.find(engine, "study") == second
    assert datasets.find(engine, first.id[:10]) == datasets.find(engine, first.id) == first
    assert known(datasets.load(objects, second.id)) == known(cases(1, 2, 3))
    assert {one.id for one in datasets.learned_from(engine, map(split_key, cases(3, 4)))} == {second.id, other.id}


def test_the_same_cases_are_the_same_version(engine: Engine, tmp_path: Path) -> None:
    objects = Objects(tmp_path / "objects")
    first = datasets.freeze(engine, objects, "study", cases(1, 2), card={"said": "first"})
    again = datasets.freeze(engine, objects, "study", [*cases(2, 1), *cases(2)], card={"said": "later"})
    assert again == first
    assert datasets.freeze(engine, objects, "other", cases(2, 1)) == first
    assert len(datasets.versions(engine)) == 1


@given(CASES, st.randoms(use_true_random=False))
def test_any_cases_are_one_version_in_whatever_order_and_however_often(some: list[Case], chance: random.Random) -> None:
    there = datasets.canonical(some)
    shuffled = [*some, *some]
    chance.shuffle(shuffled)
    assert datasets.canonical(shuffled) == datasets.canonical(there) == there
    assert {identity(case) for case in there} == {identity(case) for case in some}
    assert len(there) == len({case.id for case in there})
    for case in some:  # twins are joined: nothing that was said is lost
        [kept] = [one for one in there if identity(one) == identity(case)]
        assert {*case.tags} <= {*kept.tags}
        assert case.meta.keys() <= kept.meta.keys()
    assert datasets.difference(some, there).same == len(there)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Objects]]:
    folder = tmp_path_factory.mktemp("store")
    engine = open_database(folder)
    yield engine, Objects(folder / "objects")
    engine.dispose()


@given(CASES)
def test_any_cases_come_back_as_they_were_frozen(one_store: tuple[Engine, Objects], some: list[Case]) -> None:
    engine, objects = one_store
    made = datasets.freeze(engine, objects, "any", some)
    there = datasets.load(objects, made.id)
    assert list(there) == datasets.canonical(some)
    assert datasets.find(engine, made.id).cases == len(there)
    assert datasets.freeze(engine, objects, "any", there).id == made.id


@settings(max_examples=60)
@given(CASES, CASES)
def test_a_difference_is_all_that_differs_and_nothing_else(before: list[Case], after: list[Case]) -> None:
    found = datasets.difference(before, after)
    old, new = datasets.canonical(before), datasets.canonical(after)
    assert len(found.removed) + len(found.changed) + found.same == len(old)
    assert len(found.added) + len(found.changed) + found.same == len(new)
    for a, b in found.changed:
        assert split_key(a) == split_key(b)
        assert a != b
    keys = {split_key(case) for case in old}
    assert [case for case in new if split_key(case) not in keys] == [
        case for case in found.added if split_key(case) not in keys
    ]


def test_a_change_of_what_is_taught_is_told(tmp_path: Path) -> None:
    mended = dataclasses.replace(cases(1)[0], references=("one",))
    found = datasets.difference(cases(1, 2, 3), [mended, *cases(3, 4)])
    assert [(a.references, b.references) for a, b in found.changed] == [(("1",), ("one",))]
    assert (known(found.added), known(found.removed), found.same) == (["Question 4?"], ["Question 2?"], 1)


def test_what_cannot_be_found_is_told(engine: Engine, tmp_path: Path) -> None:
    objects = Objects(tmp_path / "objects")
    with pytest.raises(UserError, match="no dataset version 'study'; freeze one: gatewheel data freeze SUITE"):
        datasets.find(engine, "study")
    made = datasets.freeze(engine, objects, "study", cases(1))
    with pytest.raises(UserError, match="no dataset version 'studdy'; did you mean 'study'"):
        datasets.find(engine, "studdy")
    with pytest.raises(UserError, match="no dataset version"):
        datasets.find(engine, made.id[:3])
    with pytest.raises(UserError, match="no dataset version ''"):
        datasets.find(engine, "")
    with pytest.raises(UserError, match="would have no cases"):
        datasets.freeze(engine, objects, "study", [])
    with pytest.raises(UserError, match="is no name of a dataset"):
        datasets.freeze(engine, objects, "a/b", cases(1))
    with pytest.raises(UserError, match=r"case 'c': it holds the sign U\+0000"):
        datasets.freeze(engine, objects, "study", [Case(id="c", question="Who\0?")])
    with pytest.raises(UserError, match="case 'c': meta holds a set, which is no JSON"):
        datasets.freeze(engine, objects, "study", [Case(id="c", question="Who?", meta={"a": {1}})])
    objects.path(made.id).write_bytes(b"other")
    with pytest.raises(ProjectError, match="damaged"):
        datasets.load(objects, made.id)
    with pytest.raises(ProjectError, match="holds no cases"):
        datasets.load(objects, objects.put(b'{"quest": 1}\n'))


def test_a_version_says_why_it_is_tainted(engine: Engine, tmp_path: Path) -> None:
    made = datasets.freeze(engine, Objects(tmp_path / "objects"), "study", cases(1))
    with engine.begin() as connection:
        row = {"kind": "dataset", "ref": made.id, "reason": "the document a.md was forgotten", "created": 1.0}
        connection.execute(insert(taints).values(**row))
    assert datasets.find(engine, "study").tainted == ("the document a.md was forgotten",)


def test_origins_are_kept_once_and_found_both_ways(engine: Engine) -> None:
    case, other = map(split_key, cases(1, 2))
    span = Origin(case=case, kind="document", ref="a.md", detail={"span": [0, 5]})
    every = [span, Origin(case=case, kind="file", ref="f.csv"), Origin(case=other, kind="document", ref="a.md")]
    assert origins.keep(engine, [*every, *every]) == 3
    assert origins.keep(engine, every) == 0
    assert origins.of(engine, [case, "none"]) == {case: every[:2]}
    assert [one.case for one in origins.made_of(engine, "document", ["a.md"])] == sorted([case, other])
    many = [Origin(case=f"{number:032x}", kind="file", ref="big.csv") for number in range(12_000)]
    assert origins.keep(engine, many) == 12_000
    assert len(origins.of(engine, [one.case for one in many])) == 12_000


def test_kill_9_leaves_whole_versions_only(tmp_path: Path) -> None:
    """What was acknowledged is there, and every row has its object, its cases and what they were made of."""
    with subprocess.Popen([sys.executable, "-c", FREEZER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline().strip() for _ in range(6)]
        time.sleep(random.Random(5).random() / 20)
        os.kill(child.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in child.stdout if len(line) == 65]
    engine, objects = open_database(tmp_path), Objects(tmp_path / "objects")
    there = datasets.versions(engine, "many")
    assert {*acknowledged} <= {one.id for one in there}
    for one in there:
        found = datasets.load(objects, one.id)
        keys = [split_key(case) for case in found]
        assert len(found) == one.cases == 200
        assert len(origins.of(engine, keys)) == 200
        assert one.id in {other.id for other in datasets.learned_from(engine, keys[:1])}
        assert json.loads(objects.get(one.id).decode().splitlines()[0])
    engine.dispose()
