"""Seals hold for one text and one database, in every process that asks it."""

from __future__ import annotations

from sqlalchemy import Engine, delete

from gatewheel.kernel.store.schema import meta
from gatewheel.ops import seals


def test_a_seal_holds_for_one_text_and_one_database(engine: Engine) -> None:
    made = seals.seal(engine, "sheet 1")
    assert len(made) == 32
    assert seals.holds(engine, "sheet 1", made), "by the secret that was made with the first seal"
    for said, given in (("sheet 2", made), ("sheet 1", ""), ("sheet 1", made[:-1]), ("sheet 1", "é" * 32)):
        assert not seals.holds(engine, said, given)
    with engine.begin() as connection:
        connection.execute(delete(meta).where(meta.c.key == seals.SECRET))
    assert not seals.holds(engine, "sheet 1", made)
