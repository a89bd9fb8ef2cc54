"""What there is of a document, or of a user: every row, case, version and file that holds or has learned of it.

Looks only. What is forgotten is removed in such an order that what is left is found in the same way again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, Text, cast, func, or_, select

from gatewheel.data import cases as case_files
from gatewheel.data import datasets, origins, suites
from gatewheel.data.cases import split_key
from gatewheel.data.datasets import Dataset
from gatewheel.data.drafts import SUFFIX
from gatewheel.data.lines import numbered
from gatewheel.data.origins import Origin
from gatewheel.kernel import runs
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.runs import Run
from gatewheel.kernel.store import learning
from gatewheel.kernel.store.schema import answers, documents, feedback, files, labels, passages, responses, traces
from gatewheel.kernel.store.schema import runs as ledger
from gatewheel.loop import begun, came_of, client_files, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import put

BATCH = 500  # values per IN list
AnswerKey = tuple[str, str, str, int]


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

    `sent` are files that a user sent to the tuning API; `runs` those that learned of it and still hold words of it.
    """

    wanted: Wanted
    sources: tuple[str, ...]
    passages: int
    traces: tuple[str, ...]
    feedback: tuple[str, ...]
    responses: tuple[str, ...]
    answers: tuple[AnswerKey, ...]
    labels: tuple[str, ...]
    sent: tuple[str, ...]
    cases: frozenset[str]
    files: tuple[CaseFile, ...]
    versions: tuple[Version, ...]
    artifacts: tuple[str, ...]
    runs: tuple[Run, ...]


def find(parts: Parts, wanted: Wanted) -> Remains:
    """All that there is of it now. Raises UserError for a suite that cannot be read: nobody knows what is in it."""
    engine, root = parts.engine, parts.config.root
    sources = _sources(engine, wanted.document) if wanted.document else []
    names = frozenset({*sources, wanted.document} - {""})
    asked = _asked(engine, wanted, sources)
    said = _said(engine, wanted, asked)
    keys = {one.case for one in _origins(engine, wanted, names, asked, said)}
    every = list(_files(root))
    held = {one.id: datasets.load(parts.objects, one.id) for one in _here(parts)}
    # a case may name a document as its source whatever it was made of
    texts = [case for _, _, cases in every for case in cases] + [case for cases in held.values() for case in cases]
    keys |= {split_key(case) for case in texts if names & {*case.sources, case.cluster}}
    questions = {put(case) for case in texts if split_key(case) in keys}
    files_ = tuple(_parted(path, suite, cases, keys) for path, suite, cases in every)
    versions = tuple(_versions(parts, keys, held))
    learned = {one.dataset.id for one in versions} | tainting.of_reason(engine, "dataset", wanted.reason)
    taught = tainting.taught_by(engine, learned)
    return Remains(
        wanted=wanted,
        sources=tuple(sources),
        passages=_passages(engine, sources),
        traces=tuple(asked),
        feedback=tuple(said),
        responses=tuple(_responses(engine, wanted, names)),
        answers=tuple(_answers(engine, names, questions)),
        labels=tuple(_labels(engine, questions)),
        sent=tuple(one.id for one in client_files.listed(engine, key=wanted.user)) if wanted.user else (),
        cases=frozenset(keys),
        files=tuple(one for one in files_ if one.gone),
        versions=versions,
        artifacts=tuple(taught),
        runs=tuple(_runs(parts, learned, taught)),
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


def _asked(engine: Engine, wanted: Wanted, sources: Sequence[str]) -> list[str]:
    """The traces that read a document, or those of a user."""
    if wanted.user:
        of = select(traces.c.id).where(traces.c.key == wanted.user).order_by(traces.c.created)
        with engine.connect() as connection:
            return list(connection.scalars(of))
    found = shown(engine, sources)
    return list(came_of.naming(engine, found)) if found else []


def _said(engine: Engine, wanted: Wanted, asked: Sequence[str]) -> list[str]:
    """What was said of these traces, and what a user said of any."""
    found: dict[str, None] = {}
    with engine.connect() as connection:
        for some in _batches(asked):
            found |= dict.fromkeys(connection.scalars(select(feedback.c.id).where(feedback.c.trace.in_(some))))
        if wanted.user:
            mine = select(feedback.c.id).where(feedback.c.author == wanted.user)
            found |= dict.fromkeys(connection.scalars(mine))
    return list(found)


def _origins(
    engine: Engine, wanted: Wanted, names: Iterable[str], asked: Sequence[str], said: Sequence[str]
) -> Iterator[Origin]:
    """The origins that lead to it; those of a user also where the trace or the words are gone for their age."""
    yield from origins.made_of(engine, "document", names)
    yield from origins.made_of(engine, "trace", asked)
    yield from origins.made_of(engine, "feedback", said)
    if not wanted.user:
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


def _runs(parts: Parts, learned: set[str], taught: Sequence[str]) -> Iterator[Run]:
    """The runs that made these artifacts, and those that began with these versions and never made one."""
    made = select(learning.artifacts.c.run).where(learning.artifacts.c.id.in_(taught)).distinct()
    with parts.engine.connect() as connection:
        ids = {id_ for id_ in connection.scalars(made) if id_}
    ids |= {*begun.learned_from(parts.config.state, learned)}
    with parts.engine.connect() as connection:
        known = sorted(connection.scalars(select(ledger.c.id).where(ledger.c.id.in_(ids))))
    yield from (runs.get(parts.engine, id_) for id_ in known if begun.holds(parts.config.state, id_))


def _responses(engine: Engine, wanted: Wanted, names: Iterable[str]) -> list[str]:
    """The conversations of a user, or those in which a document is named."""
    named = [_mentions(responses.c.body, name) for name in names]
    of = select(responses.c.id).where(responses.c.key == wanted.user if wanted.user else or_(*named))
    with engine.connect() as connection:
        return list(connection.scalars(of))


def _answers(engine: Engine, names: frozenset[str], asked: set[str]) -> Iterator[AnswerKey]:
    """The answers of evaluations that rest on these documents, or are answers to what was put so."""
    key = (answers.c.variant, answers.c.corpus, answers.c.case, answers.c.repeat)
    with engine.connect() as connection:
        for some in _batches(sorted(asked)):
            yield from (row.tuple() for row in connection.execute(select(*key).where(answers.c.case.in_(some))))
        named = [_mentions(answers.c.answer, name) for name in sorted(names)]
        rows = connection.execute(select(*key, answers.c.answer).where(or_(*named))) if named else ()
        for *found, answer in rows:
            if found[2] not in asked and isinstance(answer, dict) and _rests(answer, names):
                yield (str(found[0]), str(found[1]), str(found[2]), int(found[3]))


def _rests(answer: dict[str, Any], names: frozenset[str]) -> bool:
    cited = {one.get("source") for one in answer.get("citations") or ()}
    return not names.isdisjoint(cited | {one.get("passage", {}).get("source") for one in answer.get("passages") or ()})


def _labels(engine: Engine, asked: set[str]) -> Iterator[str]:
    """What raters said of answers to what was put so, the first time or again."""
    with engine.connect() as connection:
        for some in _batches(sorted(asked)):
            of = select(labels.c.id).where(func.substr(labels.c.case, 1, len(some[0])).in_(some))
            yield from connection.scalars(of)


def _mentions(column: Any, name: str) -> ColumnElement[bool]:
    """Whether a JSON column has this text in it, escaped as JSON or not."""
    escaped = json.dumps(name)[1:-1]
    return cast(column, Text).contains(escaped, autoescape=True) | cast(column, Text).contains(name, autoescape=True)


def _batches(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    return (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))
