"""What variants answered to cases, kept so that nothing is asked twice. These are no traces: nobody was served."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Engine, Insert, and_, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.embeddings.where import UNSTORABLE
from gatewheel.kernel.nouns import Answer
from gatewheel.kernel.store.schema import answers


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """Which answer is meant. `case` is the digest of what was put, `corpus` the state of the documents."""

    variant: str
    corpus: str
    case: str
    repeat: int = 0


def known(engine: Engine, variant: str) -> set[Key]:
    """The keys of all that a variant answered. What failed is not among them: it is asked again."""
    columns = (answers.c.corpus, answers.c.case, answers.c.repeat)
    query = select(*columns).where(answers.c.variant == variant, answers.c.error == "")
    with engine.connect() as connection:
        rows = connection.execute(query)
        return {Key(variant=variant, corpus=corpus, case=case, repeat=repeat) for corpus, case, repeat in rows}


def corpora(engine: Engine, variant: str) -> list[str]:
    """The states of the documents in which a variant answered, the one of its newest answer first."""
    query = select(answers.c.corpus).where(answers.c.variant == variant, answers.c.error == "")
    with engine.connect() as connection:
        found = connection.execute(query.group_by(answers.c.corpus).order_by(func.max(answers.c.created).desc()))
        return list(found.scalars())


def get(engine: Engine, key: Key) -> Answer | None:
    """An answer, or None where there is none yet."""
    with engine.connect() as connection:
        plain = connection.execute(select(answers.c.answer).where(_is(key), answers.c.error == "")).scalar()
    return None if plain is None else _shape().validate_python(plain)


def keep(engine: Engine, key: Key, answer: Answer | None, *, error: str = "") -> Answer | None:
    """Keep an answer, or why there is none, in a transaction of its own, and return the answer that stands.

    That is the first one: what other reports were made of is not replaced, only an error is.
    """
    values = {
        "variant": key.variant,
        "corpus": key.corpus,
        "case": key.case,
        "repeat": key.repeat,
        "created": time.time(),
        "answer": None if answer is None else storable(_shape().dump_python(answer, mode="json")),
        "error": storable(error),
    }
    with engine.begin() as connection:
        written = connection.execute(_keeping(engine.dialect.name), values).rowcount
        query = select(answers.c.answer).where(_is(key), answers.c.error == "")
        stands = None if written else connection.execute(query).scalar()
    return answer if stands is None else _shape().validate_python(stands)


@cache  # building it takes ten times as long as running it
def _keeping(dialect: str) -> Insert:
    """One statement, so that of two who were answered at the same moment the second one finds the first's."""
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(answers)
    new = {name: insert.excluded[name] for name in ("created", "answer", "error")}
    keys = ["variant", "corpus", "case", "repeat"]
    keeping: Insert = insert.on_conflict_do_update(index_elements=keys, set_=new, where=answers.c.error != "")
    return keeping.execution_options(preserve_rowcount=True)


def _is(key: Key) -> Any:
    return and_(
        answers.c.variant == key.variant,
        answers.c.corpus == key.corpus,
        answers.c.case == key.case,
        answers.c.repeat == key.repeat,
    )


def storable(value: Any) -> Any:
    """The same without what no database takes in a text, and endpoints may send: NUL and lone surrogates."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(inner) for key, inner in value.items()}
    return [storable(inner) for inner in value] if isinstance(value, list) else value


@cache
def _shape() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)
