"""Drafts in a file: appended line by line by several at once, and whatever is killed in between costs its own line."""

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


def test_several_writers_lose_no_draft_and_no_verdict(tmp_path: Path) -> None:
    first, left = drafted(0), threading.Event()
    drafts.add(tmp_path, "town", first)

    def judging() -> None:
        while not left.is_set():
            drafts.judge(tmp_path, "town", [first.id], "refused")

    with ThreadPoolExecutor(5) as pool:
        judged = pool.submit(judging)
        try:
            made = list(pool.map(lambda number: drafts.add(tmp_path, "town", drafted(number)), range(1, 61)))
        finally:
            left.set()
    judged.result()
    assert made == [True] * 60
    assert {case.id for case in drafts.read(tmp_path, "town")} == {drafted(number).id for number in range(61)}
    assert [case.id for case in drafts.read(tmp_path, "town") if drafts.verdict(case)] == [first.id]


def test_who_adds_waits_for_who_writes_suites(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with collecting.one_writer(tmp_path):
            added = pool.submit(drafts.add, tmp_path, "town", drafted(1))
            with pytest.raises(TimeoutError):
                added.result(timeout=0.2)
            assert not drafts.path_of(tmp_path, "town").exists()
        assert added.result(timeout=10)


def test_one_more_is_appended_and_the_same_is_not_added_twice(tmp_path: Path) -> None:
    path = drafts.path_of(tmp_path, "town")
    assert drafts.add(tmp_path, "town", drafted(1))
    before, file = path.read_bytes(), path.stat().st_ino
    assert drafts.add(tmp_path, "town", drafted(2))
    assert not drafts.add(tmp_path, "town", drafted(1))
    assert path.stat().st_ino == file, "what stands there is not written anew"
    assert path.read_bytes().startswith(before)
    assert drafts.read(tmp_path, "town") == [drafted(1), drafted(2)]
    assert drafts.passages(tmp_path, "town") == {"p1", "p2"}


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = drafts.path_of(tmp_path, "town")
    drafts.add(tmp_path, "town", drafted(1))
    one = len(path.read_bytes())
    drafts.add(tmp_path, "town", drafted(2))
    whole = path.read_bytes()
    for end in range(len(whole)):  # also in the middle of a sign, and in the very first line
        path.write_bytes(whole[:end])
        kept = [drafted(1)] * (end >= one - 1) + [drafted(2)] * (end >= len(whole) - 1)
        assert drafts.read(tmp_path, "town") == kept
        path.write_bytes(whole[:end])
        assert drafts.add(tmp_path, "town", drafted(3))
        assert drafts.read(tmp_path, "town") == [*kept, drafted(3)]


def test_a_fault_within_the_file_is_told_and_stays(tmp_path: Path) -> None:
    path = drafts.path_of(tmp_path, "town")
    drafts.add(tmp_path, "town", drafted(1))
    spoilt = b'{"question": "Who\n' + path.read_bytes()
    path.write_bytes(spoilt)
    for call in (drafts.read, lambda *where: drafts.add(*where, drafted(2))):
        with pytest.raises(UserError, match=r"town\.drafts\.jsonl, line 1: no JSON"):
            call(tmp_path, "town")
    assert path.read_bytes() == spoilt
