"""Where the cases of a suite may stand besides, in what models learn from or are shown: the sources of leaks.

They are the suites for training, the examples that the suite itself shows, the files that it names as `trained_on`,
and the dataset versions that a model did learn from, whatever their suites hold by now. What cannot be read is told,
never passed over: nobody knows what would have been found there.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from gatewheel.data import cases as case_files
from gatewheel.data import datasets, importing, overlap, suites
from gatewheel.data.cases import split_key
from gatewheel.data.suites import Settings
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.objects import Objects

EXAMPLES = "its examples"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Cases that a model may know, by the name under which people find them. `first` of them count; 0 is all.

    `version` is the id of a dataset version, of which nothing ever changes; its path is that of its object.
    """

    name: str
    path: Path
    imported: bool = False
    first: int = 0
    version: str = ""

    def state(self) -> str:
        """The digest of its bytes; of a folder, of the names, sizes and times of its files; of a version its id."""
        if self.version:
            return self.version
        read = hashlib.sha256(f"{self.name}\0{self.first}\0".encode())
        if self.path.is_dir():
            for path in sorted(self.path.rglob("*")):
                stat = path.stat()
                read.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        else:
            read.update(self.path.read_bytes())
        return read.hexdigest()

    def read(self) -> tuple[Case, ...]:
        """Its cases. Raises UserError for one that is at fault, MissingPart for a format that needs a library."""
        if self.version and not self.path.is_file():
            what = f"{self.name}, which was learned, is no more in .gatewheel/objects/"
            raise UserError(what, cure="restore it, or tune again on what is left")
        found = importing.read_any(self.path) if self.imported else case_files.read(self.path)
        return tuple(found[: self.first or None])


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A source that could not be read: its name, what is wrong and the cure."""

    name: str
    reason: str


def file(path: Path) -> Source:
    """A file that the suite does not name itself."""
    return Source(name=path.name, path=path, imported=True)


def of_versions(engine: Engine, objects: Objects, ids: Iterable[str]) -> list[Source]:
    """Dataset versions by their ids, also those of which the objects are gone."""
    named = {one.id: one.name for one in datasets.versions(engine)}
    return [
        Source(name=" ".join(filter(None, ("dataset", named.get(id_), id_[:12]))), path=objects.path(id_), version=id_)
        for id_ in ids
    ]


def sources(root: Path, name: str, *, more: Iterable[Source] = ()) -> tuple[list[Source], list[Unread]]:
    """The sources of leaks into a suite, and those that cannot be told since their toml cannot be read.

    None for a suite for training: that its cases were learned from is what it is for. `more` are further ones.
    """
    found, unread = _suites(root, name)
    try:
        settings = suites.settings_of(root, name)
    except UserError:  # an old report of a suite that is no more, or is being mended
        settings = None
    if settings is not None and settings.split == "train":
        return [], []
    if settings is not None:
        own, lost = _own(root, name, settings)
        found, unread = found + own, unread + lost
    return [*found, *more], unread


def _suites(root: Path, besides: str) -> tuple[list[Source], list[Unread]]:
    found, unread = [], []
    for name in suites.names(root):
        if name == besides:
            continue
        try:
            settings = suites.settings_of(root, name)
            if settings.split == "train":
                found.append(Source(name=name, path=suites.cases_path(root, suites.path_of(root, name), settings)))
        except UserError as error:
            unread.append(Unread(name=name, reason=str(error)))
    return found, unread


def _own(root: Path, name: str, settings: Settings) -> tuple[list[Source], list[Unread]]:
    """The examples that a suite shows and the files that it says models were trained on."""
    path, found, unread = suites.path_of(root, name), [], []
    if settings.few_shot and settings.examples:
        shown = suites.inside(root, path, "examples", settings.examples)
        found.append(Source(name=EXAMPLES, path=shown, first=settings.few_shot))
    for named in settings.trained_on:
        try:
            file = suites.inside(root, path, "trained_on", named)
            if not file.exists():
                what = f"{path.name}: trained_on: there is no '{named}' in {suites.FOLDER}/"
                raise UserError(what, cure="mend the name, or remove it")
            found.append(Source(name=named, path=file, imported=True))
        except UserError as error:
            unread.append(Unread(name=named, reason=str(error)))
    return found, unread


def read(every: Sequence[Source]) -> tuple[dict[str, tuple[Case, ...]], list[Unread]]:
    """The cases of sources by name, and those that could not be read."""
    made: dict[str, tuple[Case, ...]] = {}
    unread = []
    for source in every:
        try:
            made[source.name] = made.get(source.name, ()) + source.read()
        except UserError as error:
            unread.append(Unread(name=source.name, reason=str(error)))
        except OSError as error:
            unread.append(Unread(name=source.name, reason=f"{source.path.name} cannot be read: {error.strerror}"))
    return made, unread


def standing_in(text: str, cases: Sequence[Case]) -> list[Case]:
    """The cases of which a text, such as a prompt, holds a run of 13 words, or of a shorter question all words.

    Fewer than five words are found anywhere and tell nothing, nor does a run that many questions have in common.
    """
    found = [overlap.grams(overlap.asked(case)) | overlap.grams(case.question) for case in cases]
    distinct = {split_key(case): runs for case, runs in zip(cases, found, strict=True)}
    counts = Counter(run for runs in distinct.values() for run in runs)
    there = {n: overlap.grams(text, n) for n in range(overlap.SHORT, overlap.LONG + 1)}
    known = {run for run, count in counts.items() if count <= overlap.FORMULA and run in there.get(_length(run), ())}
    return [case for case, runs in zip(cases, found, strict=True) if runs & known]


def _length(run: str) -> int:
    return run.count(" ") + 1
