"""Which thing somebody means: the id of it or the beginning of one, the source of a document, the name of a key."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import select, union_all

from gatewheel.data import cases as case_files
from gatewheel.data import suites
from gatewheel.data.cases import split_key
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.store.learning import artifacts, dataset_cases, datasets, origins
from gatewheel.kernel.store.schema import documents, feedback, files, keys, runs, splits, traces, variants
from gatewheel.loop import came_of, kin
from gatewheel.loop.kin import At, Kind, Node

LEAST = 4  # signs of an id that is cut short
FEW = 30  # names that are listed where none is near
COMPARED, LONGEST = 5_000, 200  # names, and signs of one, that are compared: it takes 0.1 s
_TABLES: tuple[tuple[Kind, Any], ...] = (
    ("trace", traces),
    ("feedback", feedback),
    ("variant", variants),
    ("artifact", artifacts),
    ("run", runs),
    ("dataset", datasets),
)
KINDS = "a trace, variant, case, artifact, dataset, run or feedback by the beginning of its id, a document or a key"


def find(here: At, named: str, *, hidden: Collection[Kind] = ()) -> Node:
    """The thing that is meant. Nothing of the `hidden` kinds is found, nor named.

    Raises UserError when there is none, or more than one.
    """
    for look in (_whole, _begun, _of_suites, _read_once):
        found = list(look(here, named, hidden))
        if len(found) == 1:
            return found[0]
        if found:
            every = ", ".join(f"{one.kind} {one.id[:12]}" for one in found[:5])
            raise UserError(f"'{named[:80]}' means {len(found)} things: {every}", cure="write more of it")
    raise _unknown(here, named, hidden)


def sources(here: At) -> list[str]:
    """The documents that are known, also those of which there is nothing but cases."""
    both = union_all(
        select(documents.c.source), select(files.c.source), select(origins.c.ref).where(origins.c.kind == "document")
    )
    with here.engine.connect() as connection:
        return sorted(set(connection.scalars(both)))


def nearest(named: str, known: Sequence[str]) -> str:
    """The cure for a misspelt name; empty where nothing is near to it and there are too many to list them all."""
    cure = did_you_mean(named[:LONGEST], known[:COMPARED]) if known else ""
    return cure if cure.startswith("did you mean") or len(known) <= FEW else ""


def _whole(here: At, named: str, hidden: Collection[Kind]) -> list[Node]:
    """What has this very name."""
    found: list[Node] = []
    with here.engine.connect() as connection:
        for kind, table in _TABLES:
            if row := connection.execute(select(table).where(table.c.id == named)).first():
                found.append(_node(here, kind, row))
        if "document" not in hidden:
            found += _documents(connection, named)
        if "user" not in hidden:
            of = keys.c.id == named if _is_key(connection, named) else keys.c.name == named
            rows = connection.execute(select(keys).where(of, keys.c.id != "")).all()
            found += [kin.user(row.id, row.name, row.created) for row in rows]
        if not found:  # the name of a dataset is its newest version
            versions = select(datasets).where(datasets.c.name == named).order_by(datasets.c.created.desc())
            found += [kin.dataset(here, row) for row in connection.execute(versions.limit(1))]
    return [one for one in found if one.kind not in hidden]


def _begun(here: At, named: str, hidden: Collection[Kind]) -> Iterator[Node]:
    """What has an id that begins so."""
    if len(named) < LEAST:
        return
    with here.engine.connect() as connection:
        for kind, table in _TABLES:
            begins = table.c.id.startswith(named, autoescape=True)
            for row in connection.execute(select(table).where(begins).limit(5)) if kind not in hidden else ():
                yield _node(here, kind, row)
        if "case" in hidden:
            return
        every: set[str] = set()
        for column in (dataset_cases.c.case, origins.c.case, splits.c.case):
            begins = column.startswith(named, autoescape=True)
            every |= set(connection.scalars(select(column).where(begins).distinct().limit(5)))
    yield from (kin.case(here, key) for key in sorted(every))


def _of_suites(here: At, named: str, hidden: Collection[Kind]) -> list[Node]:
    """The cases of the project's suites that have this id, or one that begins so."""
    if "case" in hidden or not named:
        return []
    found: dict[str, str] = {}
    for name in suites.names(here.root):
        try:
            path = suites.path_of(here.root, name)
            cases = case_files.read(suites.cases_path(here.root, path, suites.settings_of(here.root, name)))
        except UserError:
            continue
        for case in cases:
            if case.id == named or (len(named) >= LEAST and (case.id + "\0" + split_key(case)).startswith(named)):
                found[split_key(case)] = case.question
    here.asked.update(found)
    return [kin.case(here, key) for key in found]


def _read_once(here: At, named: str, hidden: Collection[Kind]) -> Iterator[Node]:
    """A document that is no more, of which answers or adapters still tell."""
    if "document" in hidden or not ("/" in named or "." in named):  # every trace is looked through for it
        return
    with here.engine.connect() as connection:
        metas = connection.scalars(select(artifacts.c.meta)).all()
    taught = any(named in meta.get("shown", ()) for meta in metas)
    if taught or next(came_of.naming(here.engine, (), lambda one: one == named), None):
        yield kin.document(named, here=False)


def _documents(connection: Any, named: str) -> list[Node]:
    row = connection.execute(select(documents).where(documents.c.source == named)).first()
    if row:
        return [kin.document(row.source, row.title)]
    of = select(origins.c.ref).where(origins.c.kind.in_(("document", "file")), origins.c.ref == named).limit(1)
    if connection.execute(of.where(origins.c.kind == "document")).first():
        return [kin.document(named, here=False)]
    return [Node(kind="file", id=named, label=named)] if connection.execute(of).first() else []


def _is_key(connection: Any, named: str) -> bool:
    return connection.execute(select(keys.c.id).where(keys.c.id == named)).first() is not None


def _node(here: At, kind: Kind, row: Any) -> Node:
    match kind:
        case "trace":
            return kin.trace(row)
        case "feedback":
            return kin.feedback(row)
        case "variant":
            return kin.variant(here, row.id)
        case "artifact":
            return kin.artifact(here, row)
        case "run":
            return kin.run(row)
    return kin.dataset(here, row)


def _unknown(here: At, named: str, hidden: Collection[Kind]) -> UserError:
    what = f"nothing here is called '{named[:80]}'" if named else "nothing was named"
    known = [] if "document" in hidden else sources(here)
    near = nearest(named, known) if "/" in named or "." in named else ""
    return UserError(what, cure=near or f"name {KINDS}")
