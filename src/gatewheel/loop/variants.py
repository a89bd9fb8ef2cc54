"""Variants: kept when first used, listed, compared. A variant is its recipe; the same recipe is the same variant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Variant
from gatewheel.kernel.store.objects import Objects
from gatewheel.kernel.store.schema import traces, variants

TEXT = "prompt text"  # kept beside the recipe, so that who shares the database but not the folder can read it


def keep(engine: Engine, objects: Objects, variant: Variant, *, prompt: str) -> None:
    """Remember a variant with the text of its prompt, so that an old one can still be read; again changes nothing."""
    if not objects.has(variant.recipe["prompt"]):
        objects.put(prompt.encode("utf-8"))
    with engine.connect() as connection:
        if connection.execute(select(variants.c.id).where(variants.c.id == variant.id)).scalar():
            return
    try:
        with engine.begin() as connection:
            kept = {**variant.recipe, TEXT: prompt}
            connection.execute(insert(variants).values(id=variant.id, created=time.time(), recipe=kept))
    except IntegrityError:
        return  # another process kept it meanwhile


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Every variant that ever answered, newest first: id, created, traces, recipe."""
    count = func.count(traces.c.id).label("traces")
    query = select(variants, count).outerjoin(traces, traces.c.variant == variants.c.id)
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(variants.c.id).order_by(variants.c.created.desc()))
        return [{**row._mapping, "recipe": _plain(row.recipe)} for row in rows]


def get(engine: Engine, prefix: str) -> Variant:
    """A variant by the beginning of its id. Raises UserError when there is none or more than one."""
    begin = select(variants.c.id, variants.c.recipe).where(variants.c.id.startswith(prefix, autoescape=True)).limit(5)
    newest = select(variants.c.id).order_by(variants.c.created.desc()).limit(100)
    with engine.connect() as connection:
        found = connection.execute(begin).all() if prefix else []
        if len(found) != 1:
            what = f"no variant '{prefix}'" if not found else f"'{prefix}' begins {len(found)} variants"
            known = [id_[:12] for id_ in connection.execute(newest).scalars()]
            raise UserError(what, cure=did_you_mean(prefix, known))
    return Variant(id=found[0].id, recipe=_plain(found[0].recipe))


def restore_prompt(engine: Engine, objects: Objects, variant: Variant) -> None:
    """Bring the prompt of a variant that was kept from another folder into this one, if the database has its text."""
    if objects.has(str(variant.recipe["prompt"])):
        return
    with engine.connect() as connection:
        recipe = connection.execute(select(variants.c.recipe).where(variants.c.id == variant.id)).scalar()
    if recipe and TEXT in recipe:
        objects.put(recipe[TEXT].encode("utf-8"))


def prompt_of(objects: Objects, variant: Variant) -> str:
    """The text of a variant's prompt, or nothing when the object is not here."""
    sha256 = str(variant.recipe["prompt"])
    return objects.get(sha256).decode("utf-8") if objects.has(sha256) else ""


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(key, value in a, value in b) wherever two recipes differ; keys are dotted, a missing value is None."""
    left, right = dict(_flat(a)), dict(_flat(b))
    keys = sorted(left.keys() | right.keys())
    return [(key, left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)]


def _plain(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key != TEXT}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value
