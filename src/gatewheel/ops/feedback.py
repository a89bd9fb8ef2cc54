"""What people say of answers. Append-only; the same words twice are one row."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Engine, and_, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.nouns import Feedback, Thumb
from gatewheel.kernel.store.schema import feedback
from gatewheel.kernel.store.schema import traces as asked
from gatewheel.kernel.trace import verdicts

BATCH = 500  # values per IN list


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Traces that are up or down by `kernel.trace.verdicts`, and corrections that were written."""

    up: int
    down: int
    corrections: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What there is on one trace: what its thumbs come to and how many times something was said."""

    thumb: Thumb | None
    count: int


def named(said: Feedback) -> Feedback:
    """The same feedback under its id: the SHA-256 of canonical JSON of all but `id` and `created`.

    The order of `wrong_citations` and their repetition say nothing, so they leave no mark on it.
    """
    said = replace(said, wrong_citations=tuple(sorted(set(said.wrong_citations))))
    words = {key: value for key, value in asdict(said).items() if key not in ("id", "created")}
    text = json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return replace(said, id=hashlib.sha256(text.encode("utf-8")).hexdigest())


def keep(engine: Engine, said: Feedback) -> tuple[Feedback, bool]:
    """Write it in one transaction; returns what is kept, and whether it is new.

    Saying the same again changes nothing, unless its author said something else of the trace meanwhile: then it is
    what they say now, and its time becomes the present.
    """
    said = named(replace(said, created=said.created or time.time()))
    values = {**asdict(said), "wrong_citations": list(said.wrong_citations)}
    try:
        with engine.begin() as connection:
            connection.execute(insert(feedback).values(**values))
        return said, True
    except IntegrityError:
        pass  # it was said before, perhaps a moment ago by the same request sent twice
    later = feedback.alias("later")
    same = and_(later.c.trace == feedback.c.trace, later.c.author == feedback.c.author)
    overtaken = exists().where(same, later.c.created > feedback.c.created)
    with engine.begin() as connection:
        connection.execute(update(feedback).where(feedback.c.id == said.id, overtaken).values(created=said.created))
        row = connection.execute(select(feedback).where(feedback.c.id == said.id)).one()
    return _feedback(row), False


def recent(engine: Engine, *, trace: str = "", limit: int, keys: Collection[str] | None = None) -> list[Feedback]:
    """The newest first, of one trace or of all; `keys`: of what these API keys asked."""
    query = select(feedback).order_by(feedback.c.created.desc(), feedback.c.id).limit(limit)
    if trace:
        query = query.where(feedback.c.trace == trace)
    if keys is not None:
        query = query.where(feedback.c.trace.in_(select(asked.c.id).where(asked.c.key.in_(keys))))
    with engine.connect() as connection:
        return [_feedback(row) for row in connection.execute(query)]


def on(engine: Engine, traces: Sequence[str]) -> dict[str, list[Feedback]]:
    """All feedback on each of these traces, the oldest first; those of which nothing was said are left out."""
    found: dict[str, list[Feedback]] = {}
    with engine.connect() as connection:
        for at in range(0, len(traces), BATCH):
            these = select(feedback).where(feedback.c.trace.in_(traces[at : at + BATCH]))
            for row in connection.execute(these.order_by(feedback.c.created, feedback.c.id)):
                found.setdefault(row.trace, []).append(_feedback(row))
    return found


def of_traces(engine: Engine, traces: Sequence[str]) -> dict[str, Said]:
    """What was said of each of these traces; those of which nothing was said are left out."""
    found: dict[str, Said] = {}
    with engine.connect() as connection:
        for at in range(0, len(traces), BATCH):
            these = feedback.c.trace.in_(traces[at : at + BATCH])
            thumbs = {trace: thumb for trace, thumb in connection.execute(verdicts().where(these))}
            counted = select(feedback.c.trace, func.count()).where(these).group_by(feedback.c.trace)
            for trace, count in connection.execute(counted):
                found[trace] = Said(thumb=thumbs.get(trace), count=int(count))
    return found


def counts(engine: Engine, *, keys: Collection[str] | None = None) -> Counts:
    """How many traces were found good or bad, and how many corrections there are; `keys` as in `recent`."""
    said = verdicts().subquery()
    found = select(said.c.thumb, func.count()).group_by(said.c.thumb)
    corrected = select(func.count()).select_from(feedback).where(feedback.c.correction != "")
    if keys is not None:
        theirs = select(asked.c.id).where(asked.c.key.in_(keys))
        found, corrected = found.where(said.c.trace.in_(theirs)), corrected.where(feedback.c.trace.in_(theirs))
    with engine.connect() as connection:
        thumbs = {thumb: int(count) for thumb, count in connection.execute(found)}
        corrections = int(connection.execute(corrected).scalar_one())
    return Counts(up=thumbs.get("up", 0), down=thumbs.get("down", 0), corrections=corrections)


def uncorrected(engine: Engine, *, keys: Collection[str] | None = None) -> int:
    """How many traces were found bad of which nobody has said what is right; `keys` as in `recent`."""
    said = verdicts().subquery()
    corrected = exists().where(feedback.c.trace == said.c.trace, feedback.c.correction != "")
    bad = select(func.count()).select_from(said).where(said.c.thumb == "down", ~corrected)
    if keys is not None:
        bad = bad.where(said.c.trace.in_(select(asked.c.id).where(asked.c.key.in_(keys))))
    with engine.connect() as connection:
        return int(connection.execute(bad).scalar_one())


def _feedback(row: Any) -> Feedback:
    values = dict(row._mapping)
    return Feedback(**{**values, "wrong_citations": tuple(values["wrong_citations"])})
