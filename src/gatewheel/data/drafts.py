"""Drafted cases that wait for a person: suites/<name>.drafts.jsonl. Nothing in it is evaluated before it is accepted.

What was accepted or refused stays in the file with that verdict, so that it is not drafted again. Each draft is a line
that is appended, and a verdict replaces the file; a line whose writer was killed before its end is taken away.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gatewheel.data import cases as case_files
from gatewheel.data import collecting, suites
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Case

Verdict = Literal["accepted", "refused"]
SUFFIX = f"{suites.DRAFTS}.jsonl"


def path_of(root: Path, suite: str) -> Path:
    """Where the drafts for a suite stand or would stand. Raises UserError for what is no name."""
    return suites.path_of(root, suite).with_name(f"{suite}{SUFFIX}")


def read(root: Path, suite: str) -> list[Case]:
    """All drafts for a suite, also those with a verdict. Raises UserError for a file that cannot be read."""
    with collecting.one_writer(root):
        return _read(path_of(root, suite))


def add(root: Path, suite: str, case: Case) -> bool:
    """One more, on disk when this returns; False for one that is there already. Raises UserError when it cannot be."""
    path, record = path_of(root, suite), case_files.to_record(case)
    case_files.of_record(record)
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with collecting.one_writer(root):
        if case.id in {one.id for one in _read(path)}:
            return False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                begun = _last(path.read_bytes())  # by hand, without a line feed at the end
                file.write(b"\n" + line if begun else line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}", cure="check its folder") from None
    return True


def verdict(case: Case) -> str:
    """accepted, refused, or nothing yet."""
    return str(case.meta.get("verdict", ""))


def waiting(root: Path, suite: str) -> list[Case]:
    """Those that nobody judged yet."""
    return [case for case in read(root, suite) if not verdict(case)]


def passages(root: Path, suite: str) -> set[str]:
    """Ids of the passages that were drafted from."""
    return {str(case.meta.get("passage", "")) for case in read(root, suite)}


def find(root: Path, suite: str, ids: Sequence[str]) -> list[Case]:
    """The waiting drafts whose ids begin so. Raises UserError for one that is not there or means several."""
    every, found = waiting(root, suite), []
    for id_ in ids:
        meant = [case for case in every if case.id.startswith(id_)]
        if len(meant) != 1:
            what = f"'{id_}' begins the id of {len(meant) or 'no'} drafts of {suite}"
            cure = "write more of it" if meant else did_you_mean(id_, [case.id[:8] for case in every])
            raise UserError(what, cure=cure)
        found += meant
    return found


def judge(root: Path, suite: str, ids: Sequence[str], said: Verdict) -> None:
    """Remember what was said of these drafts."""
    path = path_of(root, suite)
    with collecting.one_writer(root):
        marked = [
            dataclasses.replace(case, meta={**case.meta, "verdict": said}) if case.id in ids else case
            for case in _read(path)
        ]
        case_files.write(path, marked)


def as_case(draft: Case, *, question: str = "", reference: str = "") -> Case:
    """The case that a draft becomes, with another wording where a person gave one; its id is made of what it asks."""
    made = dataclasses.replace(
        draft,
        id="",
        question=question or draft.question,
        references=(reference,) if reference else draft.references,
        meta={"drafted_by": draft.meta.get("model", "")},
    )
    return dataclasses.replace(made, id=case_files.identity(made))


def _read(path: Path) -> list[Case]:
    """Only for who holds the lock: what has no end then is nobody's any more."""
    try:
        data = path.read_bytes()
        if (torn := _last(data)) and not _is_json(torn):
            data = data.removesuffix(torn)
            os.truncate(path, len(data))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", cure="check its permissions") from None
    return case_files.read(path) if data.strip() else []


def _last(data: bytes) -> bytes:
    """What stands behind the last line feed."""
    return data.rpartition(b"\n")[2]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
