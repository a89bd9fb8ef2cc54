"""Dataset versions: cases frozen as one object, named by the SHA-256 of its bytes. Nothing of a version ever changes.

A suite for training is to them what a working tree is to a commit. The object is JSON Lines in one canonical form, so
that the same cases, in whatever order and file, are the same version. Knows nothing about suites.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.data import origins as made_of
from gatewheel.data.cases import identity, of_record, split_key, to_record
from gatewheel.data.importing import joined
from gatewheel.data.lines import record_of
from gatewheel.data.origins import Origin
from gatewheel.data.suites import NAME
from gatewheel.kernel.errors import ProjectError, UserError, did_you_mean
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.store.learning import dataset_cases, datasets, taints
from gatewheel.kernel.store.objects import Objects

_AT_ONCE = 10_000  # rows a statement: two values each, and SQLite takes 32,766


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A version: `cases` counts them, `card` says what is known of them, `tainted` why nothing should learn of them."""

    id: str
    name: str
    created: float
    cases: int
    card: Mapping[str, Any] = field(default_factory=dict)
    tainted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """From one version to another. `changed` are pairs that ask the same and say something else of it."""

    added: tuple[Case, ...]
    removed: tuple[Case, ...]
    changed: tuple[tuple[Case, Case], ...]
    same: int


def freeze(
    engine: Engine,
    objects: Objects,
    name: str,
    cases: Iterable[Case],
    *,
    origins: Sequence[Origin] = (),
    card: Mapping[str, Any] = {},
) -> Dataset:
    """Keep cases as a version; the one that is there when it has the same cases, whatever it was called then.

    Whole or not at all: a version whose row is in the store has its object. Raises UserError for what is no name, no
    cases, or a case that cannot be written.
    """
    if not NAME.fullmatch(name):
        what = f"'{name[:80]}' is no name of a dataset"
        raise UserError(what, cure="write letters, digits and . - _, at most 64, a letter or digit first")
    whole = canonical(cases)
    if not whole:
        raise UserError(f"dataset {name} would have no cases", cure="add cases to its suite, or leave out fewer")
    id_ = objects.put(_line(case) for case in whole)
    row = {"id": id_, "name": name, "created": time.time(), "cases": len(whole), "card": dict(card)}
    with engine.begin() as connection:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(datasets).on_conflict_do_nothing(), row)
        keys = sorted(set(map(split_key, whole)))
        for at in range(0, len(keys), _AT_ONCE):
            rows = [{"dataset": id_, "case": key} for key in keys[at : at + _AT_ONCE]]
            connection.execute(insert(dataset_cases).on_conflict_do_nothing(), rows)
        made_of.write(connection, origins)
        return _read(connection, id_)


def id_of(cases: Iterable[Case]) -> str:
    """The id of a version with these cases, which are `canonical`."""
    digest = hashlib.sha256()
    for case in cases:
        digest.update(_line(case))
    return digest.hexdigest()


def renew(engine: Engine, id_: str, card: Mapping[str, Any]) -> Dataset:
    """Give a version the card that forgetting took from it; it is made now, so that it is the newest of its name."""
    with engine.begin() as connection:
        of = datasets.c.id == id_
        connection.execute(update(datasets).where(of).values(card=dict(card), created=time.time()))
        return _read(connection, id_)


def canonical(cases: Iterable[Case]) -> list[Case]:
    """The cases as a version holds them: in one order, twins joined, ids apart. Raises UserError for an unsound one."""
    known: dict[str, Case] = {}
    for case in sorted(map(_sound, cases), key=_line):
        key = identity(case)
        known[key] = joined(known.get(key, case), case)  # with itself too: it says nothing twice then
    ids: set[str] = set()
    apart: list[Case] = []
    for key, case in known.items():
        apart.append(replace(case, id=key) if case.id in ids else case)
        ids.add(apart[-1].id)
    return sorted(apart, key=_line)


def versions(engine: Engine, name: str = "") -> list[Dataset]:
    """Those of a name, or all, the newest first."""
    asked = select(datasets).order_by(datasets.c.created.desc(), datasets.c.id)
    with engine.connect() as connection:
        rows = connection.execute(asked.where(datasets.c.name == name) if name else asked).all()
        return _with_taints(connection, rows)


def find(engine: Engine, said: str) -> Dataset:
    """A version by its id or the beginning of it, or the newest one of a name, an untainted one where there is one.

    Raises UserError when there is none.
    """
    if named := versions(engine, said) if said else []:
        # without what was forgotten a version may be an older one again
        return next((one for one in named if not one.tainted), named[0])
    asked = select(datasets).where(datasets.c.id.startswith(said, autoescape=True)).limit(5)
    with engine.connect() as connection:
        rows = connection.execute(asked).all() if len(said) >= 4 else []
        found = _with_taints(connection, rows)
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"'{said}' begins {len(found)} dataset versions", cure="write more of it")
    known = sorted({one.name for one in versions(engine)})
    cure = did_you_mean(said, known) if known else "freeze one: gatewheel data freeze SUITE"
    raise UserError(f"no dataset version '{said[:80]}'", cure=cure)


def load(objects: Objects, id_: str) -> tuple[Case, ...]:
    """The cases of a version by its whole id. Raises ProjectError when its object is missing or damaged."""
    try:
        lines = objects.get(id_).decode("utf-8").split("\n")  # not splitlines: U+2028 may stand in a text
        return tuple(of_record(record_of(line)) for line in lines if line)
    except (UnicodeDecodeError, UserError) as error:
        if isinstance(error, ProjectError):
            raise
        raise ProjectError(f"object {id_[:12]} holds no cases: {error}", cure="name a dataset version") from None


def difference(before: Iterable[Case], after: Iterable[Case]) -> Difference:
    """What was added, removed or changed, by what the cases ask."""
    old, new = ({_line(case): case for case in canonical(cases)} for cases in (before, after))
    come: dict[str, list[bytes]] = {}
    for line in new.keys() - old.keys():
        come.setdefault(split_key(new[line]), []).append(line)
    pairs: dict[bytes, bytes] = {}
    for line in sorted(old.keys() - new.keys()):
        if others := come.get(split_key(old[line])):
            pairs[line] = min(others)
            others.remove(pairs[line])
    taken = set(pairs.values())
    return Difference(
        added=tuple(new[line] for line in new if line not in old and line not in taken),
        removed=tuple(old[line] for line in old if line not in new and line not in pairs),
        changed=tuple((old[a], new[b]) for a, b in pairs.items()),
        same=len(old.keys() & new.keys()),
    )


def learned_from(engine: Engine, cases: Iterable[str]) -> list[Dataset]:
    """The versions that hold one of these cases, by their `split_key`."""
    found: set[str] = set()
    keys = sorted(set(cases))
    with engine.connect() as connection:
        for at in range(0, len(keys), _AT_ONCE):
            some = dataset_cases.c.case.in_(keys[at : at + _AT_ONCE])
            found.update(connection.scalars(select(dataset_cases.c.dataset).where(some).distinct()))
    return [one for one in versions(engine) if one.id in found]


def _sound(case: Case) -> Case:
    """The case as `load` will give it back. Raises UserError for one that could not be."""
    try:
        of_record(to_record(case))  # says what is wrong with a text better than a codec does
        return of_record(record_of(_line(case).decode("utf-8")))
    except (UserError, ValueError, TypeError, RecursionError) as error:
        what, cure = (error.what, error.cure) if isinstance(error, UserError) else (str(error), "mend it")
        name = case.id.encode("utf-8", "replace").decode()
        raise UserError(f"case '{name[:80]}': {what}", cure=cure) from None


def _line(case: Case) -> bytes:
    text = json.dumps(
        to_record(case), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
    )
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"meta holds a {type(value).__name__}, which is no JSON")


def _read(connection: Connection, id_: str) -> Dataset:
    return _with_taints(connection, connection.execute(select(datasets).where(datasets.c.id == id_)).all())[0]


def _with_taints(connection: Connection, rows: Sequence[Any]) -> list[Dataset]:
    reasons: dict[str, list[str]] = {}
    asked = select(taints.c.ref, taints.c.reason).where(taints.c.kind == "dataset").order_by(taints.c.created)
    for ref, reason in connection.execute(asked) if rows else ():
        reasons.setdefault(ref, []).append(reason)
    return list(_datasets(rows, reasons))


def _datasets(rows: Sequence[Any], reasons: Mapping[str, list[str]]) -> Iterator[Dataset]:
    for row in rows:
        yield Dataset(**row._mapping, tainted=tuple(reasons.get(row.id, ())))
