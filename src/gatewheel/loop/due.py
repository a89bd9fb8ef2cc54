"""What there is to improve on: what people corrected and nothing has learned yet, or a gate whose last word was no."""

from __future__ import annotations

from sqlalchemy import Engine, exists, func, select

from gatewheel.kernel.store import learning, schema

HEEDED = ("queued", "running", "done")  # states of a run that sees to what is due


def told(engine: Engine) -> str:
    """Why to improve now, in words; empty where nothing asks for it, or a tuning sees to it already."""
    turned, tuned = (_last(engine, kind) for kind in ("improve", "finetune"))
    if waiting := _corrections(engine, turned=turned, tuned=tuned):
        if waiting == 1:
            return "One correction waits to be learned: tune on it."
        return f"{waiting} corrections wait to be learned: tune on them."
    if variant := _rejected(engine, since=max(turned, tuned)):
        return f"The gate rejected {variant[:12]}: see why on Release, and tune another on more or other cases."
    return ""


def _corrections(engine: Engine, *, turned: float, tuned: float) -> int:
    """How many came since the last turn of the wheel and are in no case that was there when something was tuned.

    What a turn passed over waits no longer, for the next would pass it over too.
    """
    said, origins = schema.feedback, learning.origins
    learned = exists().where(origins.c.kind == "feedback", origins.c.ref == said.c.id, origins.c.created < tuned)
    query = select(func.count()).select_from(said).where(said.c.correction != "", said.c.created > turned, ~learned)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def _rejected(engine: Engine, *, since: float) -> str:
    """The variant that a gate rejected, if that was the last word on what is released and came after `since`."""
    table = schema.releases
    newest = select(table).where(table.c.action != "propose").order_by(table.c.number.desc()).limit(1)
    with engine.connect() as connection:
        row = connection.execute(newest).one_or_none()
    if row is None or row.action != "gate" or row.reason.get("outcome") != "reject" or row.created < since:
        return ""
    return str(row.variant)


def _last(engine: Engine, kind: str) -> float:
    """When the last run of a kind was made that came to something, or still may; 0 where there is none."""
    table = schema.runs
    query = select(func.max(table.c.created)).where(table.c.kind == kind, table.c.state.in_(HEEDED))
    with engine.connect() as connection:
        return float(connection.execute(query).scalar_one() or 0.0)
