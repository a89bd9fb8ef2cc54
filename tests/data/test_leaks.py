"""Sources of leaks: what a model may have learned from is found wherever it stands, and what cannot be read is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gatewheel.data import cases as case_files
from gatewheel.data import leak_sources, overlap, sides, splits, vectors
from gatewheel.data.cases import split_key
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

WORDS = st.sampled_from("a b c d e".split())
TEXTS = st.lists(st.lists(WORDS, max_size=20).map(" ".join), max_size=8)


def cases(*questions: str) -> list[Case]:
    return [Case(id=f"c{number}", question=question) for number, question in enumerate(questions)]


def suite(root: Path, name: str, *questions: str, more: str = "") -> None:
    (root / "suites").mkdir(exist_ok=True)
    case_files.write(root / "suites" / f"{name}.jsonl", cases(*questions))
    (root / "suites" / f"{name}.toml").write_text(f'metrics = ["token-f1"]\n{more}', encoding="utf-8")


def names(root: Path, name: str, **said: Any) -> tuple[list[str], list[str]]:
    found, unread = leak_sources.sources(root, name, **said)
    return [one.name for one in found], [one.name for one in unread]


# --- the index against brute force ---


def runs(text: str, n: int) -> list[str]:
    """The runs of n words, written out once more and apart from overlap.grams."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    every = [" ".join(words[at : at + n]) for at in range(len(words))]
    return every[: max(1, len(words) - n + 1)]


def often(texts: Sequence[str], n: int) -> set[str]:
    every = [set(runs(text, n)) for text in texts]
    return {run for found in every for run in found if sum(run in other for other in every) > overlap.FORMULA}


@settings(max_examples=300)
@given(TEXTS, TEXTS)
def test_shared_runs_of_thirteen_words_are_those_that_comparing_every_pair_finds(a: list[str], b: list[str]) -> None:
    found = {hit.a: (hit.b, hit.score) for hit in overlap.closest(cases(*a), cases(*b)) if hit.kind == "run"}
    usual = often(a, overlap.LONG) | often(b, overlap.LONG)
    expected = {}
    for x, one in enumerate(a):
        shares = []
        for other in b:
            left, right = set(runs(one, overlap.LONG)), set(runs(other, overlap.LONG))
            shared = (left & right) - usual
            shares.append(len(shared) / min(len(left), len(right)) if shared else 0.0)
        if any(shares):
            expected[x] = (shares.index(max(shares)), max(shares))
    assert found == expected


@settings(max_examples=100)
@given(TEXTS, TEXTS)
def test_each_case_is_told_with_its_closest_neighbour_of_each_kind(a: list[str], b: list[str]) -> None:
    told = {
        (found.case.id, found.hit.kind): (found.other.question, found.suite, found.hit.score)
        for found in sides.common(cases(*a), {"x": tuple(cases(*b[:4])), "y": tuple(cases(*b[4:]))})
    }
    best: dict[tuple[str, str], tuple[str, str, float]] = {}
    for one, (y, other) in product(cases(*a), enumerate(b)):
        for hit in overlap.closest([one], cases(other)):
            if hit.score > best.get((one.id, hit.kind), ("", "", 0.0))[2]:
                best[one.id, hit.kind] = (other, "x" if y < 4 else "y", hit.score)
    assert told == best


# --- where is looked ---


def test_sources_are_training_suites_the_examples_shown_and_the_files_named(tmp_path: Path) -> None:
    suite(tmp_path, "exam", "Who?", more='few_shot = 1\nexamples = "shown.jsonl"\ntrained_on = ["web.csv"]\n')
    suite(tmp_path, "learned", "When?", more='split = "train"\n')
    suite(tmp_path, "other", "Where?")
    case_files.write(tmp_path / "suites" / "shown.jsonl", cases("First?", "Second?"))
    (tmp_path / "suites" / "web.csv").write_text("question,answer\nWhy?,So\n", encoding="utf-8")
    more = tmp_path / "more.jsonl"
    case_files.write(more, cases("How?"))
    found, unread = leak_sources.sources(tmp_path, "exam", more=[leak_sources.file(more)])
    assert not unread
    read, lost = leak_sources.read(found)
    assert not lost
    assert {name: [case.question for case in every] for name, every in read.items()} == {
        "learned": ["When?"],
        leak_sources.EXAMPLES: ["First?"],  # only what is shown
        "web.csv": ["Why?"],
        "more.jsonl": ["How?"],
    }
    assert names(tmp_path, "learned") == ([], [])  # what it is for
    assert names(tmp_path, "no longer there") == (["learned"], [])


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    suite(tmp_path, "exam", "Who?", more='trained_on = ["gone.csv", "../../../etc/passwd"]\n')
    suite(tmp_path, "fine", "When?", more='split = "train"\n')
    suite(tmp_path, "torn", "Where?", more='split = "train"\n')
    suite(tmp_path, "worse", "Why?", more="split = train\n")
    (tmp_path / "suites" / "torn.jsonl").write_text('{"question": \n', encoding="utf-8")
    found, unread = leak_sources.sources(tmp_path, "exam")
    read, lost = leak_sources.read(found)
    assert set(read) == {"fine"}
    assert [one.name for one in lost] == ["torn"]
    assert "torn.jsonl, line 1" in lost[0].reason
    assert [one.name for one in unread] == ["worse", "gone.csv", "../../../etc/passwd"]
    assert "worse.toml is not valid TOML" in unread[0].reason
    assert "there is no 'gone.csv' in suites/; mend the name, or remove it" in unread[1].reason
    assert "lies outside of the project" in unread[2].reason


def test_the_state_of_a_source_changes_with_its_bytes_and_how_many_count(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("one", encoding="utf-8")
    first = leak_sources.Source(name="x", path=path).state()
    assert leak_sources.Source(name="x", path=path).state() == first
    assert leak_sources.Source(name="x", path=path, first=1).state() != first
    path.write_text("two", encoding="utf-8")
    assert leak_sources.Source(name="x", path=path).state() != first
    folder = leak_sources.Source(name="x", path=tmp_path)
    before = folder.state()
    (tmp_path / "y").write_text("more", encoding="utf-8")
    assert folder.state() != before


# --- the split while a suite cannot be read ---


def test_a_suite_that_cannot_be_read_is_told_and_stops_no_evaluation(tmp_path: Path, engine: Engine) -> None:
    suite(tmp_path, "fine", "Who wrote the very first program of them all?", more='split = "train"\n')
    suite(tmp_path, "torn", "Where?", more='split = "train"\n')
    (tmp_path / "suites" / "torn.jsonl").write_text("no json\n", encoding="utf-8")
    new = cases("When was it printed?")
    with pytest.raises(UserError, match=r"torn.jsonl, line 1"):  # who writes for ever does not go on
        sides.enter(tmp_path, engine, new, "holdout")
    assert not splits.of(engine, map(split_key, new))
    told: list[str] = []
    sides.enter(tmp_path, engine, new, "holdout", tell=told.append)
    assert splits.of(engine, map(split_key, new))
    assert len(told) == 1
    assert re.match(r"suite torn cannot be read, so nothing was compared with it: torn.jsonl, line 1", told[0])
    near = cases("who wrote the very first program of them all")
    with pytest.raises(UserError, match="nearly the same as cases that are for training"):
        sides.enter(tmp_path, engine, near, "holdout", tell=told.append)


# --- vectors that are kept ---


class Counting:
    """Vectors of two dimensions that know the length of their text, and what they were asked."""

    id, dimensions, max_tokens = "counting/1", 2, 32
    texts: ClassVar[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.texts.extend(texts)
        rows = np.array([[1.0, len(text)] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def starts(self, text: str) -> Any:
        raise NotImplementedError


def test_the_next_process_encodes_nothing_twice_and_gets_the_same_bits(tmp_path: Path) -> None:
    Counting.texts.clear()
    first = vectors.Once(Counting(), folder=tmp_path / "questions")
    rows = first.encode(["a", "bb", "a"])
    again = vectors.Once(Counting(), folder=tmp_path / "questions")
    assert again.missing(["a", "bb", "ccc", "ccc"]) == 1
    assert np.array_equal(again.encode(["bb", "a"]), rows[[1, 0]])
    assert Counting.texts == ["a", "bb"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 torn", b"no archive"])
def test_a_damaged_file_of_vectors_costs_time_and_nothing_else(tmp_path: Path, damage: bytes) -> None:
    vectors.Once(Counting(), folder=tmp_path).encode(["a"])
    [file] = tmp_path.glob("*.npz")
    file.write_bytes(damage)
    assert vectors.Once(Counting(), folder=tmp_path).encode(["a"]).shape == (1, 2)
    assert vectors.Once(Counting(), folder=tmp_path).missing(["a"]) == 0  # and is whole again


def test_vectors_of_another_size_are_not_taken_for_ours(tmp_path: Path) -> None:
    vectors.Once(Counting(), folder=tmp_path).encode(["a"])
    other = Counting()
    other.dimensions = 3
    assert vectors.Once(other, folder=tmp_path).missing(["a"]) == 1


def test_kept_vectors_are_read_when_one_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors.Once(Counting(), folder=tmp_path).encode(["a"])
    monkeypatch.setattr(vectors, "_read", None)
    again = vectors.Once(Counting(), folder=tmp_path)
    assert (again.id, again.dimensions) == (Counting.id, 2)
    with pytest.raises(TypeError):
        again.missing(["a"])


def test_vectors_that_cannot_be_kept_are_there_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    assert vectors.Once(Counting(), folder=tmp_path / "file").encode(["a"]).shape == (1, 2)


# --- cases in a text ---


def test_a_case_stands_in_a_prompt_by_a_long_run_or_by_all_words_of_a_short_question() -> None:
    long = "Which of the seven drawers in the old green cupboard of the north hall holds the key?"
    asked = cases("What opens the cellar door?", long, "Who knows?", "What opens the attic door?")
    text = f"Answer briefly.\nQ: WHAT OPENS the cellar door\nA: a key\nQ: {long[:70]} …\nWho knows? attic door?"
    assert [one.id for one in leak_sources.standing_in(text, asked)] == ["c0", "c1"]
    assert leak_sources.standing_in("", asked) == []


def test_a_question_without_spaces_is_found_in_a_prompt() -> None:
    asked = cases("地下室的门是用什么打开的？", "谁？", "阁楼的门是用什么打开的？")
    text = "请简短回答。\n问：地下室的门是用什么打开的？答：一把钥匙。"
    assert [one.id for one in leak_sources.standing_in(text, asked)] == ["c0"]


def test_how_all_questions_are_put_is_no_case_in_a_prompt() -> None:
    how = "Read what follows with care and then answer in one word of the text alone:"
    asked = cases(*(f"{how} number {at}?" for at in range(overlap.FORMULA + 1)))
    assert leak_sources.standing_in(how, asked) == []
    assert [one.id for one in leak_sources.standing_in(f"{how} number 3? three", asked)] == ["c3"]


def test_choices_in_a_case_do_not_hide_its_question() -> None:
    [case] = cases("What opens the cellar door?")
    chosen = Case(id="c0", question=case.question, choices=("a key", "a spoon made of wood", "the long rusty old nail"))
    assert leak_sources.standing_in("Q: What opens the cellar door? A: a key", [chosen]) == [chosen]
