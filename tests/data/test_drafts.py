"""Drafts in a file: several write it at once and lose nothing, neither of each other's nor of what a person typed."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatewheel.data import cases as case_files
from gatewheel.data import collecting, drafts
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case


def drafted(number: int) -> Case:
    one = Case(
        id="", question=f"Où est le café numéro {number} ?", references=(f"{number}",), meta={"passage": f"p{number}"}
    )
    return dataclasses.replace(one, id=case_files.identity(one))


def test_several_writers_lose_no_draft_and_no_mark(tmp_path: Path) -> None:
    first, left = drafted(0), threading.Event()
    drafts.add(tmp_path, "town", first)

    def judging() -> None:
        while not left.is_set():
            drafts.mark_as(tmp_path, "town", [first.id], "refused")

    with ThreadPoolExecutor(5) as pool:
        judged = pool.submit(judging)
        try:
            made = list(pool.map(lambda number: drafts.add(tmp_path, "town", drafted(number)), range(1, 61)))
        finally:
            left.set()
    judged.result()
    assert made == [True] * 60
    assert {case.id for case in drafts.read(tmp_path, "town")} == {drafted(number).id for number in range(61)}
    assert [case.id for case in drafts.read(tmp_path, "town") if drafts.mark_of(case)] == [first.id]


def test_who_adds_waits_for_who_writes_suites(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with collecting.one_writer(tmp_path):
            added = pool.submit(drafts.add, tmp_path, "town", drafted(1))
            with pytest.raises(TimeoutError):
                added.result(timeout=0.2)
            assert not drafts.path_of(tmp_path, "town").exists()
        assert added.result(timeout=10)


def test_one_more_stands_behind_the_others_and_the_same_is_not_added_twice(tmp_path: Path) -> None:
    path = drafts.path_of(tmp_path, "town")
    assert drafts.add(tmp_path, "town", drafted(1))
    before = path.read_bytes()
    assert drafts.add(tmp_path, "town", drafted(2))
    assert not drafts.add(tmp_path, "town", drafted(1))
    assert path.read_bytes().startswith(before)
    assert drafts.read(tmp_path, "town") == [drafted(1), drafted(2)]
    assert drafts.passages(tmp_path, "town") == {"p1", "p2"}


def test_a_file_of_which_nothing_is_left_holds_no_drafts(tmp_path: Path) -> None:
    path = drafts.path_of(tmp_path, "town")
    assert drafts.read(tmp_path, "town") == []
    drafts.add(tmp_path, "town", drafted(1))
    path.write_text("\n", encoding="utf-8")
    assert drafts.read(tmp_path, "town") == []
    assert drafts.add(tmp_path, "town", drafted(2))
    assert drafts.read(tmp_path, "town") == [drafted(2)]


@pytest.mark.parametrize(
    ("typed", "line"), [('{"question": "Who\n%s', 1), ('%s{"question": "Who?" "references": ["typed by hand"]}', 2)]
)
def test_a_fault_in_the_file_is_told_and_nothing_that_was_typed_is_lost(tmp_path: Path, typed: str, line: int) -> None:
    """Also in a last line without a line feed, as editors may leave it."""
    path = drafts.path_of(tmp_path, "town")
    drafts.add(tmp_path, "town", drafted(1))
    spoilt = typed % path.read_text(encoding="utf-8")
    path.write_text(spoilt, encoding="utf-8")
    for call in (drafts.read, drafts.waiting, drafts.passages, lambda *where: drafts.add(*where, drafted(2))):
        with pytest.raises(UserError, match=rf"town\.drafts\.jsonl, line {line}: no JSON"):
            call(tmp_path, "town")
    assert path.read_text(encoding="utf-8") == spoilt
