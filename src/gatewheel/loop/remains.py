"""What there is of a document, or of a user: every row, case, version and file that holds or has learned of it.

Looks only. What is forgotten is removed in such an order that what is left is found in the same way again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Engine, func, or_, select

from gatewheel.data import cases as case_files
from gatewheel.data import datasets, origins, suites
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.data.drafts import SUFFIX
from gatewheel.data.lines import numbered
from gatewheel.data.origins import Origin
from gatewheel.kernel import runs, trace
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.runs import Run
from gatewheel.kernel.store import learning
from gatewheel.kernel.store.schema import documents, feedback, files, passages, traces
from gatewheel.kernel.store.schema import runs as ledger
from gatewheel.loop import begun, came_of, client_files, quoted, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.quoted import Quotes


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Who or what is to be forgotten: the source of a document, or the id of a key or author. One of both is empty."""

    document: str = ""
    user: str = ""

    @property
    def what(self) -> str:
        """In words."""
        return f"document {self.document}" if self.document else f"user {self.user}"

    @property
    def reason(self) -> str:
        """Why something is tainted by it."""
        return f"{self.what} was forgotten"

    def means(self, source: str) -> bool:
        """Whether a document of this source is meant: the very one, or a record of the file."""
        records = bool(PurePosixPath(self.document).suffix) and source.startswith(f"{self.document}#")
        return bool(self.document) and (source == self.document or records)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFile:
    """A file of cases of which some are to go. `suite` is the suite whose own cases they are, else empty."""

    path: Path
    suite: str
    gone: tuple[Case, ...]
    stay: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A dataset version of which some cases are to go; `here` says that its object is not gone yet."""

    dataset: Dataset
    gone: int
    here: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """All that there is. Ids, but for `cases`, known by what they ask, and `sources`, the documents of the index.

    `sent` are files that a user sent to the tuning API; `begun` are runs that learned of it, `runs` those of them that
    still hold words of it. `unsourced` are traces of former versions of which nobody knows any more what documents they
    were shown, `untold` adapters and begun runs of former versions that do not say it.
    """

    wanted: Wanted
    sources: tuple[str, ...]
    passages: int
    traces: tuple[str, ...]
    feedback: tuple[str, ...]
    responses: tuple[str, ...]
    sent: tuple[str, ...]
    cases: frozenset[str]
    files: tuple[CaseFile, ...]
    versions: tuple[Version, ...]
    artifacts: tuple[str, ...]
    begun: tuple[str, ...]
    runs: tuple[Run, ...]
    quotes: Quotes
    unsourced: tuple[str, ...]
    untold: tuple[str, ...]


def find(parts: Parts, wanted: Wanted) -> Remains:
    """All that there is of it now. Raises UserError for a suite that cannot be read: nobody knows what is in it."""
    engine = parts.engine
    sources = _sources(engine, wanted.document) if wanted.document else []
    names = frozenset({*sources, wanted.document} - {""})

    def meant(source: str) -> bool:
        return source in names or wanted.means(source)

    asked, unsourced = _asked(engine, wanted, shown(engine, sources), meant)
    said = _said(engine, wanted, asked)
    every = list(_files(parts.config.root))
    held = {one.id: datasets.load(parts.objects, one.id) for one in _here(parts)}
    # a case may name a document as its source whatever it was made of
    texts = [case for cases in (*(cases for _, _, cases in every), *held.values()) for case in cases]
    keys = {one.case for one in _origins(engine, wanted, meant, asked, said)}
    keys |= {split_key(case) for case in texts if any(map(meant, (*case.sources, case.cluster)))}
    gone = [case for case in texts if split_key(case) in keys]
    files = tuple(one for one in (_parted(*each, keys) for each in every) if one.gone)
    versions = tuple(_versions(parts, keys, held))
    taught, started = _learned(parts, wanted, [one.dataset.id for one in versions], meant)
    ids = {one.suite: {case.id for case in one.gone} for one in files if one.suite}
    going = quoted.Going(names=names, meant=meant, cases=gone, ids=ids, traces=asked, said=said)
    return Remains(
        wanted=wanted,
        sources=tuple(sources),
        passages=_passages(engine, sources),
        traces=tuple(asked),
        feedback=tuple(said),
        responses=tuple(quoted.responses_of(engine, wanted.user, names)),
        sent=tuple(one.id for one in client_files.listed(engine, key=wanted.user)) if wanted.user else (),
        cases=frozenset(keys),
        files=files,
        versions=versions,
        artifacts=tuple(taught),
        begun=tuple(one.id for one in started),
        runs=tuple(one for one in started if begun.holds(parts.config.state, one.id)),
        quotes=quoted.everywhere(parts, going, user=wanted.user),
        unsourced=unsourced,
        untold=tuple(_untold(parts, {*taught, *(one.id for one in started)})) if wanted.document else (),
    )


def file_of(engine: Engine, source: str) -> str:
    """The file that a document was read from; empty where none is in the ledger."""
    of = select(files.c.source).join(documents, documents.c.file_id == files.c.id)
    with engine.connect() as connection:
        found = connection.scalar(of.where(documents.c.source == source).limit(1))
        return found or connection.scalar(select(files.c.source).where(files.c.source == source)) or ""


def shown(engine: Engine, sources: Sequence[str]) -> set[str]:
    """The passages of documents, as traces name them."""
    of = select(passages.c.public_id).join(documents).where(documents.c.source.in_(sources))
    with engine.connect() as connection:
        return set(connection.scalars(of))


def _sources(engine: Engine, named: str) -> list[str]:
    """The documents of this name, and those of the file of this name."""
    of = select(documents.c.source).join(files).where(or_(documents.c.source == named, files.c.source == named))
    with engine.connect() as connection:
        return list(connection.scalars(of.order_by(documents.c.source)))


def _passages(engine: Engine, sources: Sequence[str]) -> int:
    of = select(func.count()).select_from(passages.join(documents)).where(documents.c.source.in_(sources))
    with engine.connect() as connection:
        return int(connection.execute(of).scalar_one())


def _asked(
    engine: Engine, wanted: Wanted, read: set[str], meant: Callable[[str], bool]
) -> tuple[list[str], tuple[str, ...]]:
    """The traces that `read` a document, or those of a user, and those of former versions of which nobody knows."""
    if wanted.user:
        of = select(traces.c.id).where(traces.c.key == wanted.user).order_by(traces.c.created)
        with engine.connect() as connection:
            return list(connection.scalars(of)), ()
    found = dict.fromkeys(came_of.naming(engine, read, meant))
    unsourced = [one for one in came_of.unsourced(engine) if one not in found]
    told: set[str] = set()  # a prompt may name the sources of what it shows; what only seems so is told, and stays
    for some in quoted.batches(unsourced):
        told |= {made.id for made in trace.of_ids(engine, some) if any(map(meant, came_of.prompted(made)))}
    return [*found, *sorted(told)], tuple(one for one in unsourced if one not in told)


def _said(engine: Engine, wanted: Wanted, asked: Sequence[str]) -> list[str]:
    """What was said of these traces, and what a user said of any."""
    found: dict[str, None] = {}
    with engine.connect() as connection:
        for some in quoted.batches(asked):
            found |= dict.fromkeys(connection.scalars(select(feedback.c.id).where(feedback.c.trace.in_(some))))
        if wanted.user:
            mine = select(feedback.c.id).where(feedback.c.author == wanted.user)
            found |= dict.fromkeys(connection.scalars(mine))
    return list(found)


def _origins(
    engine: Engine, wanted: Wanted, meant: Callable[[str], bool], asked: Sequence[str], said: Sequence[str]
) -> Iterator[Origin]:
    """The origins that lead to it, also where the trace or the words are gone for their age."""
    yield from origins.made_of(engine, "trace", asked)
    yield from origins.made_of(engine, "feedback", said)
    if not wanted.user:
        named = wanted.document
        yield from (one for one in origins.of_documents(engine, named) if meant(one.ref))
        yield from (one for one in origins.shown(engine, named) if any(map(meant, one.detail[origins.DOCUMENTS])))
        return
    table = learning.origins
    key, author = table.c.detail["key"].as_string(), table.c.detail["author"].as_string()
    with engine.connect() as connection:
        for row in connection.execute(select(table).where((key == wanted.user) | (author == wanted.user))):
            yield Origin(case=row.case, kind=row.kind, ref=row.ref, detail=row.detail)


def _files(root: Path) -> Iterator[tuple[Path, str, list[Case]]]:
    """Every file of cases of the project's suites, with those that are shown as examples and the drafts."""
    seen: set[Path] = set()
    for name in suites.names(root):
        path, settings = suites.path_of(root, name), suites.settings_of(root, name)
        named = [(suites.cases_path(root, path, settings), name)]
        named += [(suites.inside(root, path, "examples", settings.examples), "")] if settings.examples else []
        for file, suite in named:
            if file not in seen and file.exists():
                seen.add(file)
                yield file, suite, case_files.read(file)
    for file in sorted((root / suites.FOLDER).glob(f"*{SUFFIX}")):
        yield file, "", case_files.read(file) if any(numbered(file)) else []


def _parted(path: Path, suite: str, cases: Sequence[Case], keys: set[str]) -> CaseFile:
    gone = {case.id for case in cases if split_key(case) in keys}
    return CaseFile(
        path=path,
        suite=suite,
        gone=tuple(case for case in cases if case.id in gone),
        stay=tuple(case for case in cases if case.id not in gone),
    )


def _here(parts: Parts) -> list[Dataset]:
    return [one for one in datasets.versions(parts.engine) if parts.objects.has(one.id)]


def _versions(parts: Parts, keys: set[str], held: dict[str, tuple[Case, ...]]) -> Iterator[Version]:
    """The versions that hold one of these cases, the oldest first."""
    for one in reversed(datasets.learned_from(parts.engine, keys)):
        gone = sum(split_key(case) in keys for case in held.get(one.id, ()))
        yield Version(dataset=one, gone=gone, here=one.id in held)


def _learned(
    parts: Parts, wanted: Wanted, versions: Sequence[str], meant: Callable[[str], bool]
) -> tuple[list[str], list[Run]]:
    """The artifacts and the runs that learned of these versions, or of those that were forgotten by this before."""
    learned = {*versions, *tainting.of_reason(parts.engine, "dataset", wanted.reason)}
    taught = tainting.taught_by(parts.engine, learned, shown=meant)
    ids = {*begun.learned_from(parts.config.state, learned, shown=meant)}
    made = select(learning.artifacts.c.run).where(learning.artifacts.c.id.in_(taught)).distinct()
    with parts.engine.connect() as connection:
        ids |= {id_ for id_ in connection.scalars(made) if id_}
        known = sorted(connection.scalars(select(ledger.c.id).where(ledger.c.id.in_(ids))))
    return taught, [runs.get(parts.engine, id_) for id_ in known]


def _untold(parts: Parts, learned: set[str]) -> Iterator[str]:
    """The adapters and begun runs of former versions that do not say which documents stood in their prompts."""
    apps = parts.config.names("app")

    def silent(said: Mapping[str, Any], app: str) -> bool:
        reads = app not in apps or parts.config.table("app", app).use != "direct"
        return reads and bool(said.get("dataset")) and "shown" not in said

    table = learning.artifacts
    with parts.engine.connect() as connection:
        adapters = connection.execute(select(table.c.id, table.c.meta).where(table.c.kind == "adapter")).all()
    yield from (id_ for id_, meta in adapters if id_ not in learned and silent(meta, str(meta.get("app", "main"))))
    for run in runs.recent(parts.engine, limit=None):
        if run.id not in learned and run.state != "done":
            said = Notebook(parts.config.state, run.id, "steps").known.get("begun") or {}
            if silent(said, str(run.settings.get("app", "main"))):
                yield run.id
