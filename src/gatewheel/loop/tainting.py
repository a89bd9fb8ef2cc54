"""What is tainted: what learned of what was forgotten since, and whatever was made of that, however far.

A taint is written once, where it was found; that what is made of it afterwards is tainted too is seen when it is read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.kernel.config import OBJECT
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Variant
from gatewheel.kernel.store.learning import artifacts, taints
from gatewheel.loop import variants
from gatewheel.ops import releases

Kind = Literal["dataset", "artifact", "run"]
DIGESTS = ("weights_sha256", "adapter_sha256", "sha256")  # where a recipe, or an artifact of its base, says the bytes
_AT_ONCE = 5_000  # rows a statement: four values each, and SQLite takes 32,766


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """An application that answers by a tainted variant."""

    app: str
    variant: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Taints:
    """All taints by kind and id, and of what each artifact was made: other artifacts and a dataset."""

    marked: Mapping[tuple[str, str], tuple[str, ...]]
    made_of: Mapping[str, tuple[tuple[Kind, str], ...]]

    def of(self, kind: Kind, id_: str) -> tuple[str, ...]:
        """Why this is tainted itself."""
        return self.marked.get((kind, id_), ())

    def of_artifact(self, id_: str) -> tuple[str, ...]:
        """Why an artifact is tainted, by itself or by all that it was made of."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = [id_]
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            found |= dict.fromkeys(self.of("artifact", one))
            for kind, of in self.made_of.get(one, ()):
                found |= dict.fromkeys(self.of(kind, of))
                waiting += [of] if kind == "artifact" else []
        return tuple(found)

    def of_recipe(self, recipe: Mapping[str, Any]) -> tuple[str, ...]:
        """Why a variant is tainted: by its weights, or by the adapter beside them."""
        every = (reason for artifact in weights_of(recipe) for reason in self.of_artifact(artifact))
        return tuple(dict.fromkeys(every))


def read(engine: Engine) -> Taints:
    """All that is tainted."""
    marked: dict[tuple[str, str], list[str]] = defaultdict(list)
    with engine.connect() as connection:
        for row in connection.execute(select(taints).order_by(taints.c.created, taints.c.reason)):
            marked[row.kind, row.ref].append(row.reason)
        made = connection.execute(select(artifacts.c.id, artifacts.c.meta)).all() if marked else []
    return Taints(
        marked={key: tuple(reasons) for key, reasons in marked.items()},
        made_of={row.id: tuple(_made_of(row.meta)) for row in made},
    )


def mark(connection: Connection, kind: Kind, refs: Iterable[str], reason: str) -> int:
    """Enter a taint of each of these inside of the caller's transaction; returns how many are new."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    entering = insert(taints).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    rows = [{"kind": kind, "ref": ref, "reason": reason, "created": time.time()} for ref in sorted(set(refs))]
    return sum(connection.execute(entering, some).rowcount for some in _batches(rows))


def taught_by(engine: Engine, datasets: Iterable[str], *, shown: Callable[[str], bool] = lambda _: False) -> list[str]:
    """The artifacts that were made of these versions, or of others that were, by their ids.

    With those that were `shown` passages of a document while they learned: it says which documents are meant.
    """
    with engine.connect() as connection:
        return _taught_by(connection, {("dataset", one) for one in datasets}, shown)


def lifted(engine: Engine, dataset: str) -> bool:
    """Take back the taint of a version whose words are there again, and say whether there was one.

    Freezing them anew is for whoever may: then they may be learned again. What learned them before does not stop having
    learned what was forgotten, so it is marked by itself.
    """
    of = (taints.c.kind == "dataset") & (taints.c.ref == dataset)
    with engine.begin() as connection:
        # the write comes before any read: it waits for whoever writes
        reasons = list(connection.scalars(delete(taints).where(of).returning(taints.c.reason)))
        taught = _taught_by(connection, {("dataset", dataset)}, lambda _: False) if reasons else []
        for reason in reasons:
            mark(connection, "artifact", taught, reason)
    return bool(reasons)


def of_reason(engine: Engine, kind: Kind, reason: str) -> set[str]:
    """What is marked with this reason itself."""
    with engine.connect() as connection:
        return set(
            connection.scalars(select(taints.c.ref).where(taints.c.kind == kind).where(taints.c.reason == reason))
        )


def of_run(engine: Engine, run: str) -> tuple[str, ...]:
    """Why a run cannot go on: what it began to learn was forgotten since."""
    of = select(taints.c.reason).where(taints.c.kind == "run", taints.c.ref == run).order_by(taints.c.created)
    with engine.connect() as connection:
        return tuple(connection.scalars(of))


def learned(engine: Engine, recipe: Mapping[str, Any]) -> list[str]:
    """The dataset versions that a variant's weights learned from, or were validated on, however far down."""
    waiting, seen, found = [*weights_of(recipe)], set[str](), set[str]()
    with engine.connect() as connection:
        while waiting:
            seen |= {*waiting}
            metas = connection.scalars(select(artifacts.c.meta).where(artifacts.c.id.in_(waiting))).all()
            made = {one for meta in metas for one in _made_of(meta)}
            found |= {id_ for kind, id_ in made if kind == "dataset"}
            waiting = [id_ for kind, id_ in made if kind == "artifact" and id_ not in seen]
    return sorted(found)


def weights_of(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """The objects that a variant's model is made of: weights, and an adapter beside them, of each of its engines."""
    return tuple(dict.fromkeys(_objects(recipe.get("model"))))


def of_variant(engine: Engine, variant: Variant) -> tuple[str, ...]:
    """Why a variant is tainted; empty where it is not."""
    return read(engine).of_recipe(variant.recipe)


def refuse(engine: Engine, variant: Variant) -> None:
    """Raises UserError for a tainted variant: nothing lets it pass."""
    if reasons := of_variant(engine, variant):
        what = f"variant {variant.id[:12]} learned of what was forgotten since: {told(reasons)}"
        raise UserError(what, cure="tune again on data without it; no gate and no override lets this one pass")


def refuse_artifact(engine: Engine, id_: str) -> None:
    """Raises UserError for a tainted adapter."""
    if reasons := read(engine).of_artifact(id_):
        what = f"adapter {id_[:12]} learned of what was forgotten since: {told(reasons)}"
        raise UserError(what, cure="tune again on data without it")


def served(engine: Engine) -> list[Served]:
    """The applications whose release is tainted. It costs two short queries where nothing is."""
    found = read(engine)
    answering = releases.serving(engine) if found.marked else {}
    made = []
    for app, id_ in sorted(answering.items()):
        if reasons := found.of_recipe(variants.get(engine, id_).recipe):
            made.append(Served(app=app, variant=id_, reasons=reasons))
    return made


def told(reasons: Sequence[str]) -> str:
    """Reasons on one line."""
    return "; ".join(reasons)


def _objects(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # weights that were exported and are named by their path are the same bytes
            yield from [inner] if key in DIGESTS and isinstance(inner, str) else _objects(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _objects(inner)
    elif isinstance(value, str) and value.startswith(OBJECT):
        yield value.removeprefix(OBJECT)


def _taught_by(connection: Connection, of: set[tuple[str, str]], shown: Callable[[str], bool]) -> list[str]:
    made = connection.execute(select(artifacts.c.id, artifacts.c.meta).order_by(artifacts.c.created)).all()
    found = dict.fromkeys(row.id for row in made if any(map(shown, row.meta.get("shown", ()))))
    of = of | {("artifact", one) for one in found}
    while more := [row.id for row in made if row.id not in found and of & set(_made_of(row.meta))]:
        found |= dict.fromkeys(more)
        of |= {("artifact", one) for one in more}
    return list(found)


def _made_of(meta: Mapping[str, Any]) -> Iterator[tuple[Kind, str]]:
    """What the `meta` of an artifact says it was made of."""
    for key in ("dataset", "validation"):
        if dataset := meta.get(key):
            yield "dataset", str(dataset)
    if adapter := meta.get("adapter"):
        yield "artifact", str(adapter)
    for of in _objects(meta.get("base")):
        yield "artifact", of


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE))
