"""Puts imported cases into a suite, and parts a suite in two. Neither loses a case, whenever it is stopped.

The split is entered first, then files are written whole: what was stopped in between is finished by doing it again.
"""

from __future__ import annotations

import dataclasses
import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from gatewheel.data import cases as case_files
from gatewheel.data import origins, overlap, sides, splits, suites
from gatewheel.data.cases import identity, split_key
from gatewheel.data.dividing import Divided, divide
from gatewheel.data.importing import joined
from gatewheel.data.origins import Origin
from gatewheel.data.suites import Settings, Split
from gatewheel.kernel.config import STATE_FOLDER
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder

SUFFIX = "-train"  # of the suite that takes the training side of another


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A suite with so many `cases` after the import, of which `added` are new; `known` were in it already."""

    split: Split
    cases: int
    added: int
    known: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """Cases on their way into the suite `name`, with what they were made of.

    They are entered into the split when one is named. `merge` says what the cases of the suite become with them.
    """

    name: str
    cases: Sequence[Case]
    split: Split | None = None
    origins: Sequence[Origin] = ()
    merge: Callable[[Sequence[Case], Sequence[Case]], list[Case]] | None = None


def take(
    root: Path, engine: Engine, cases: Sequence[Case], *, name: str, split: Split | None, encoder: Encoder | None
) -> Taken:
    """Add cases to a suite, as `bring` does, without a word on what they were made of."""
    return bring(root, engine, Incoming(name=name, cases=cases, split=split), encoder=encoder)


def bring(root: Path, engine: Engine, incoming: Incoming, *, encoder: Encoder | None) -> Taken:
    """Add cases to a suite, which is made when there is none.

    What they were made of is entered together with their split. Raises UserError when a case, or one that is nearly the
    same, stands in the other split; then nothing is changed.
    """
    name, cases, split = incoming.name, incoming.cases, incoming.split
    path = suites.path_of(root, name)
    with one_writer(root):
        made = not path.exists()
        fresh = suites.beginning(cases, split or "holdout")
        settings = fresh if made else suites.settings_of(root, name)
        if split and split != settings.split:
            what = f"the cases of suite {name} are {splits.SAID[settings.split]}, not {splits.SAID[split]}"
            raise UserError(what, cure="import into another suite")
        file = suites.cases_path(root, path, settings)
        before = _there(file)
        after = (incoming.merge or union)(before, cases)
        sides.refuse_near(cases, settings.split, sides.across(root, settings.split), encoder=encoder)
        if split:
            splits.assign(engine, after, split, origins=incoming.origins)
        else:
            splits.confirm(engine, after, settings.split)
            origins.keep(engine, incoming.origins)
        case_files.write(file, after)
        if made:
            suites.write(root, name, settings)
    added = len(after) - len(before)
    return Taken(split=settings.split, cases=len(after), added=added, known=len(cases) - added)


def remove(root: Path, name: str, case: str, *, whole: bool = False) -> int:
    """Take a case out of a suite by its identity, and return how many it has then; it keeps its side of the split.

    One that is not there any more is no fault. With `whole` a suite that has no other goes too, unless somebody has
    set it up since. Raises UserError for the last case of another suite, for one without cases could not be read.
    """
    path = suites.path_of(root, name)
    with one_writer(root):
        if not path.exists():
            return 0
        file = suites.cases_path(root, path, suites.settings_of(root, name))
        before = _there(file)
        after = [one for one in before if identity(one) != case]
        if before and not after:
            settings = suites.settings_of(root, name)
            if not whole or settings != suites.beginning(before, settings.split):
                what = f"it is the last case of suite {name}, which would have none"
                raise UserError(what, cure=f"add another first, or delete the files of suites/{name}")
            path.unlink()
            file.unlink()
        elif len(after) < len(before):
            case_files.write(file, after)
    return len(after)


def part(
    root: Path, engine: Engine, name: str, *, train: float, seed: int = 0, encoder: Encoder | None = None
) -> tuple[str, Divided]:
    """Move about a share of a held-out suite's cases to the training side, into the suite <name>-train.

    Raises UserError when the suite is for training, or when no case may be moved.
    """
    with one_writer(root):
        suite, settings = suites.load(root, name), suites.settings_of(root, name)
        if suite.split == "train":
            raise UserError(f"the cases of suite {name} are for training already", cure="name a suite that is held out")
        pairs = [(hit.a, hit.b) for hit in overlap.within(suite.cases, encoder=encoder) if overlap.is_near(hit)]
        known = splits.of(engine, map(split_key, suite.cases))
        cases = case_files.read(suites.cases_path(root, suite.path, settings))  # as they are written
        parted = divide(cases, train=train, known=known, near=pairs, seed=seed)
        _refuse_empty(parted, name, known=len(known))
        sides.refuse_near(parted.train, "train", sides.across(root, "train", besides=name), encoder=encoder)
        other = f"{name}{SUFFIX}"
        path, beside = suites.path_of(root, other), _training(root, other, settings)
        file = suites.cases_path(root, path, beside)
        before = _there(file)
        splits.divide(engine, {"train": parted.train, "holdout": parted.holdout})
        case_files.write(file, union(before, parted.train))
        if not path.exists():
            suites.write(root, other, beside)
        case_files.write(suites.cases_path(root, suite.path, settings), parted.holdout)
    return other, parted


def _refuse_empty(parted: Divided, name: str, *, known: int) -> None:
    if not parted.train or not parted.holdout:
        side = splits.SAID["train" if parted.train else "holdout"]
        why = f"for {known} have their side already" if known else "for they hang together"
        what = f"all {len(parted.train) + len(parted.holdout)} cases of suite {name} would be {side}, {why}"
        raise UserError(what, cure="add other cases, or ask for another share")


def _there(file: Path) -> list[Case]:
    return case_files.read(file) if file.exists() else []


@contextmanager
def one_writer(root: Path) -> Iterator[None]:
    """One writer of a project's suites at a time: another waits, so that neither overwrites what the other added.

    Do not ask for it again while you hold it: you would wait for yourself.
    """
    state = root / STATE_FOLDER
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "suites.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _training(root: Path, name: str, settings: Settings) -> Settings:
    """Of the suite that takes the training side: as it is, or like the one that is parted."""
    if not (path := suites.path_of(root, name)).exists():
        return settings.model_copy(update={"split": "train", "cases": ""})
    found = suites.settings_of(root, name)
    if found.split != "train":
        raise UserError(f"suite {name} is held out, not for training", cure=f"rename it, or set split in {path.name}")
    return found


def union(before: Sequence[Case], cases: Sequence[Case]) -> list[Case]:
    """All of the first ones, then those of the others that ask or expect something else. Ids stay apart."""
    every: dict[str, Case] = {}
    ids = {case.id for case in before}
    for place, case in enumerate((*before, *cases)):
        key = identity(case)
        if key in every:
            every[key] = joined(every[key], case)
            continue
        every[key] = dataclasses.replace(case, id=key) if place >= len(before) and case.id in ids else case
        ids.add(every[key].id)
    return list(every.values())
