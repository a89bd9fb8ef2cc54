"""What is told of forgetting, before and after: what goes, what has learned of it, who answers by that."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, select

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store import learning, schema
from gatewheel.loop import naming, remains, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.remains import Remains, Wanted
from gatewheel.loop.tainting import Served
from gatewheel.ops import keys, releases


@dataclass(frozen=True, kw_only=True, slots=True)
class Tainted:
    """What has learned of it: artifacts by id and kind, variants by id, and the applications that answer by one.

    `models` are the names of those that the tuning API made.
    """

    datasets: tuple[str, ...]
    artifacts: tuple[tuple[str, str], ...]
    variants: tuple[str, ...]
    models: tuple[str, ...]
    served: tuple[Served, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What there is of it, or with `done` what was purged, and what is tainted by it.

    `file` is the user's own file that the document was read from, where it still lies there; `before` is when it was
    forgotten already, else None.
    """

    found: Remains
    tainted: Tainted
    file: str
    before: float | None
    done: bool


def asked_for(parts: Parts, *, document: str = "", user: str = "") -> Wanted:
    """What is to be forgotten. `user` is the id or name of a key, or an author of feedback.

    Raises UserError when nobody knows it and it was not forgotten before.
    """
    if bool(document) == bool(user):
        raise UserError("either a document or a user is forgotten", cure="name one: --document SOURCE or --user KEY")
    wanted = Wanted(document=document) if document else Wanted(user=_user(parts.engine, user))
    if _before(parts.engine, wanted) is None and not _known(parts, wanted):
        known = _documents(parts.engine) if document else [one.name for one in keys.every(parts.engine)]
        otherwise = "write it as citations name it" if document else "see `gatewheel keys list`"
        cure = naming.nearest(document or user, known) or otherwise
        raise UserError(f"no {'document' if document else 'key or author'} '{(document or user)[:80]}'", cure=cure)
    return wanted


def look(parts: Parts, wanted: Wanted) -> Forgotten:
    """What would be purged and what is tainted. Changes nothing."""
    return told(parts, remains.find(parts, wanted), done=False)


def told(parts: Parts, found: Remains, *, done: bool) -> Forgotten:
    """What is known of it now."""
    wanted, engine = found.wanted, parts.engine
    file = remains.file_of(engine, wanted.document) or wanted.document
    here = bool(file) and (parts.config.root / file).is_file()
    return Forgotten(
        found=found,
        tainted=_tainted(engine, found),
        file=file if here else "",
        before=_before(engine, wanted),
        done=done,
    )


def mark(wanted: Wanted) -> str:
    """The key of `meta` that says that it was forgotten, without its name."""
    return "forgotten " + hashlib.sha256(wanted.what.encode("utf-8", "replace")).hexdigest()[:32]


def _tainted(engine: Engine, found: Remains) -> Tainted:
    """What has learned of it, as far as that is known by now, also from a time before."""
    made, reason = learning.artifacts, found.wanted.reason
    with engine.connect() as connection:
        every = connection.execute(select(made.c.id, made.c.kind).order_by(made.c.created)).all()
        tuned = connection.execute(select(learning.tuned_models).order_by(learning.tuned_models.c.name)).all()
        kept = connection.execute(select(schema.variants.c.id, schema.variants.c.recipe)).all()
    sets = {one.dataset.id for one in found.versions} | tainting.of_reason(engine, "dataset", reason)
    ids = set(found.artifacts) | tainting.of_reason(engine, "artifact", reason)
    learned = {row.id for row in kept if ids & set(tainting.weights_of(row.recipe))}
    answering = releases.serving(engine)
    return Tainted(
        datasets=tuple(sorted(sets)),
        artifacts=tuple((row.id, row.kind) for row in every if row.id in ids),
        variants=tuple(sorted(learned)),
        models=tuple(row.name for row in tuned if row.adapter in ids),
        served=tuple(
            Served(app=app, variant=id_, reasons=(reason,)) for app, id_ in sorted(answering.items()) if id_ in learned
        ),
    )


def _user(engine: Engine, named: str) -> str:
    """The id of the key of this id or name; an author of feedback that has no key is known as they are."""
    every = keys.every(engine)
    ids = [one.id for one in every if one.id == named] or [one.id for one in every if one.name == named]
    if len(ids) > 1:
        cure = f"name one by its id: {', '.join(ids)}"
        raise UserError(f"{len(ids)} keys are named '{named[:80]}', revoked ones among them", cure=cure)
    return ids[0] if ids else named


def _known(parts: Parts, wanted: Wanted) -> bool:
    if wanted.user and wanted.user in {one.id for one in keys.every(parts.engine)}:
        return True
    found = remains.find(parts, wanted)
    return any(
        (found.sources, found.traces, found.feedback, found.responses, found.cases, found.artifacts, found.begun)
    )


def _documents(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(schema.documents.c.source).order_by(schema.documents.c.source)))


def _before(engine: Engine, wanted: Wanted) -> float | None:
    with engine.connect() as connection:
        value = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == mark(wanted)))
    return float(value) if value else None
