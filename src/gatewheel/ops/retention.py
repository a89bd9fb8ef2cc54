"""Forgets what is older than a project wants to keep: traces with their feedback, and continued conversations."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, Table, delete, select

from gatewheel.kernel.store.schema import feedback, responses, traces

BATCH = 500  # rows in one transaction, so that whoever writes meanwhile waits for milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """How many rows are gone. `responses` are conversations that /v1/responses could have continued."""

    traces: int = 0
    feedback: int = 0
    responses: int = 0


def purge(engine: Engine, *, older_than: float) -> Purged:
    """Delete the traces made before this POSIX time stamp with all feedback on them, and the responses of that time.

    Feedback goes with its trace however young it is. A purge that is killed has deleted whole batches.
    """
    gone, said = 0, 0
    while batch := _old(engine, traces, older_than):
        with engine.begin() as connection:
            said += connection.execute(delete(feedback).where(feedback.c.trace.in_(batch))).rowcount
            gone += connection.execute(delete(traces).where(traces.c.id.in_(batch))).rowcount
    forgotten = 0
    while batch := _old(engine, responses, older_than):
        with engine.begin() as connection:
            forgotten += connection.execute(delete(responses).where(responses.c.id.in_(batch))).rowcount
    return Purged(traces=gone, feedback=said, responses=forgotten)


def _old(engine: Engine, table: Table, older_than: float) -> list[str]:
    oldest = select(table.c.id).where(table.c.created < older_than).order_by(table.c.created).limit(BATCH)
    with engine.connect() as connection:
        return list(connection.scalars(oldest))
