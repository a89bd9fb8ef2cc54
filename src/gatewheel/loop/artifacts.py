"""What runs made: objects with the run that made them, of what, and by which settings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.errors import ProjectError, UserError, did_you_mean
from gatewheel.kernel.store.learning import artifacts
from gatewheel.kernel.store.objects import Objects

Kind = Literal["adapter", "gguf", "lora-gguf"]
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """An object that a run made, `bytes` long. `meta` says of what: an adapter of which `dataset` and `base`, a GGUF of
    which `adapter` and of which `quantisation`.
    """

    id: str
    kind: Kind
    created: float
    run: str
    bytes: int
    meta: Mapping[str, Any]


def keep(engine: Engine, objects: Objects, file: Path, *, kind: Kind, run: str, meta: Mapping[str, Any]) -> Artifact:
    """A file as an artifact; the same bytes are kept once, by the run that made them first."""
    id_ = objects.put(_pieces(file))
    try:
        with engine.begin() as connection:
            values = {"kind": kind, "created": time.time(), "run": run, "bytes": file.stat().st_size}
            connection.execute(insert(artifacts).values(id=id_, meta=dict(meta), **values))
    except IntegrityError:
        pass  # made before
    return get(engine, id_)


def get(engine: Engine, prefix: str) -> Artifact:
    """An artifact by the beginning of its id. Raises UserError when there is none or more than one."""
    begin = select(artifacts).where(artifacts.c.id.startswith(prefix, autoescape=True)).limit(5)
    newest = select(artifacts.c.id).order_by(artifacts.c.created.desc()).limit(100)
    with engine.connect() as connection:
        found = connection.execute(begin).all() if prefix else []
        if len(found) != 1:
            what = f"no artifact '{prefix}'" if not found else f"'{prefix}' begins {len(found)} artifacts"
            known = [id_[:12] for id_ in connection.execute(newest).scalars()]
            raise UserError(what, cure=did_you_mean(prefix, known))
    return _artifact(found[0])


def of(engine: Engine, *, kind: Kind | None = None, run: str = "") -> list[Artifact]:
    """Artifacts, the newest first: of one kind, of one run, or all."""
    query = select(artifacts).order_by(artifacts.c.created.desc())
    if kind:
        query = query.where(artifacts.c.kind == kind)
    if run:
        query = query.where(artifacts.c.run == run)
    with engine.connect() as connection:
        return [_artifact(row) for row in connection.execute(query)]


def path(objects: Objects, artifact: Artifact) -> Path:
    """Where its bytes lie. Raises ProjectError when they are not here."""
    if not objects.has(artifact.id):
        what = f"the {artifact.kind} {artifact.id[:12]} is not in {objects.folder}"
        raise ProjectError(
            what, cure=f"restore .gatewheel/objects/, or make it again: `gatewheel runs show {artifact.run}`"
        )
    return objects.path(artifact.id)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _artifact(row: Any) -> Artifact:
    return Artifact(**row._mapping)
