"""What judges said, kept so that nothing is asked twice, and what a judge is: the model with all that it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Insert, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.evals.judge import Verdict
from gatewheel.kernel.store.schema import verdicts as table
from gatewheel.loop.answers import storable
from gatewheel.loop.recipes import digest
from gatewheel.loop.serving import shared

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts


def identity(parts: Parts, model: str, recipe: str) -> str:
    """The id of a judge: another model, or the same with another rubric, is another judge.

    The model is that which serves: who lists judges and who lets them judge mean the same one.
    """
    config = shared(parts.config)
    return digest([parts.shelf.recipe(config, config.table("model", model)), recipe])


class ProjectVerdicts:
    """The verdicts of all judges of a project. What was said before `since` is asked again and replaced."""

    def __init__(self, parts: Parts, *, since: float = 0.0) -> None:
        self._parts = parts
        self._since = since

    def of(self, model: str, recipe: str) -> JudgeVerdicts:
        """The verdicts of one judge."""
        return JudgeVerdicts(
            lambda: self._parts.engine, lambda: identity(self._parts, model, recipe), since=self._since
        )


class JudgeVerdicts:
    """The verdicts of one judge. Neither the store nor the weights are looked at before they are needed."""

    def __init__(self, engine: Callable[[], Engine], judge: Callable[[], str], *, since: float = 0.0) -> None:
        self._engine, self._judge = cache(engine), cache(judge)
        self._since = since

    def get(self, item: str, sample: int) -> Verdict | None:
        """What was said, or None where nothing was."""
        columns = (table.c.score, table.c.reason, table.c.fault)
        this = and_(table.c.judge == self._judge(), table.c.item == item, table.c.sample == sample)
        query = select(*columns).where(this, table.c.created >= self._since)
        with self._engine().connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Verdict(score=row.score, reason=row.reason, fault=row.fault)

    def keep(self, item: str, sample: int, verdict: Verdict) -> None:
        """Keep a verdict, in a transaction of its own; what was said before is replaced."""
        values = {
            "judge": self._judge(),
            "item": item,
            "sample": sample,
            "created": time.time(),
            "score": verdict.score,
            "reason": storable(verdict.reason),
            "fault": storable(verdict.fault),
        }
        engine = self._engine()
        with engine.begin() as connection:
            connection.execute(_keeping(engine.dialect.name), values)


def forget(engine: Engine, judge: str, *, before: float) -> int:
    """Forget what a judge said before a time, since it would say something else now; returns how much that was."""
    with engine.begin() as connection:
        gone = connection.execute(delete(table).where(table.c.judge == judge, table.c.created < before))
        return int(gone.rowcount)


@cache
def _keeping(dialect: str) -> Insert:
    insert: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    new = {name: insert.excluded[name] for name in ("created", "score", "reason", "fault")}
    made: Insert = insert.on_conflict_do_update(index_elements=["judge", "item", "sample"], set_=new)
    return made
