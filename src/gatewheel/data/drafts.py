"""Drafted cases that wait for a person: suites/<name>.drafts.jsonl. Nothing in it is evaluated before it is accepted.

What was accepted or refused stays in the file with that mark, so that it is not drafted again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from gatewheel.data import cases as case_files
from gatewheel.data import collecting, suites
from gatewheel.data.cases import split_key
from gatewheel.data.lines import numbered
from gatewheel.data.origins import Origin
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Case

Mark = Literal["accepted", "refused"]
SUFFIX = f"{suites.DRAFTS}.jsonl"
MARKS = ("verdict", "added", "made")  # in meta: the word on it, the case that it added, whether it made the suite


def path_of(root: Path, suite: str) -> Path:
    """Where the drafts for a suite stand or would stand. Raises UserError for what is no name."""
    return suites.path_of(root, suite).with_name(f"{suite}{SUFFIX}")


def names(root: Path) -> list[str]:
    """The suites for which there are drafts, or were."""
    return sorted(path.name.removesuffix(SUFFIX) for path in (root / suites.FOLDER).glob(f"*{SUFFIX}"))


def read(root: Path, suite: str) -> list[Case]:
    """All drafts for a suite, also those with a mark. Raises UserError for a file that cannot be read."""
    with collecting.one_writer(root):
        return _read(path_of(root, suite))


def add(root: Path, suite: str, case: Case) -> bool:
    """One more, on disk when this returns; False for one that is there already. Raises UserError when it cannot be."""
    path = path_of(root, suite)
    with collecting.one_writer(root):
        before = _read(path)
        if case.id in {one.id for one in before}:
            return False
        case_files.write(path, [*before, case])
    return True


def mark_of(case: Case) -> str:
    """accepted, refused, or nothing yet."""
    return str(case.meta.get("verdict", ""))


def waiting(root: Path, suite: str) -> list[Case]:
    """Those that nobody marked yet."""
    return [case for case in read(root, suite) if not mark_of(case)]


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


def marked(root: Path, suite: str, id_: str) -> Case:
    """The draft of this id that was accepted or refused. Raises UserError."""
    for case in read(root, suite):
        if case.id == id_ and mark_of(case):
            return case
    what = f"no draft '{id_[:80]}' of {suite} was accepted or refused"
    raise UserError(what, cure="load the drafts again")


def mark_as(
    root: Path, suite: str, ids: Sequence[str], mark: Mark, *, told: Mapping[str, Mapping[str, Any]] = {}
) -> None:
    """Mark these drafts; `told` are further words on some, by their ids, which go with the mark."""
    path = path_of(root, suite)
    with collecting.one_writer(root):
        marked = [
            dataclasses.replace(case, meta={**case.meta, "verdict": mark, **told.get(case.id, {})})
            if case.id in ids
            else case
            for case in _read(path)
        ]
        case_files.write(path, marked)


def unmark(root: Path, suite: str, id_: str) -> None:
    """A draft that waits again, as if nobody had said anything of it."""
    path = path_of(root, suite)
    with collecting.one_writer(root):
        every = [
            dataclasses.replace(case, meta={key: word for key, word in case.meta.items() if key not in MARKS})
            if case.id == id_
            else case
            for case in _read(path)
        ]
        case_files.write(path, every)


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


def origins_of(draft: Case, case: Case) -> list[Origin]:
    """The span of the document that a draft, and so the case that it becomes, was made of."""
    kept = {key: draft.meta[key] for key in ("passage", "span") if key in draft.meta}
    return [Origin(case=split_key(case), kind="document", ref=source, detail=kept) for source in draft.sources]


def _read(path: Path) -> list[Case]:
    return case_files.read(path) if path.exists() and any(numbered(path)) else []
