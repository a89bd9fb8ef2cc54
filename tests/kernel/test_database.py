"""What a database says at work becomes one line with a cure, and people's texts stand in no error."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gatewheel.kernel.store.database import explain, open_database
from gatewheel.kernel.store.schema import meta


def test_a_store_that_cannot_be_written_says_what_helps(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA query_only=ON"))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(insert(meta).values(key="k", value="a secret"))
    told = explain(caught.value)
    assert told.what == "the store cannot be used: attempt to write a readonly database"
    assert "writable" in told.cure
    assert "a secret" not in str(caught.value)
    engine.dispose()


def test_a_busy_store_asks_for_patience(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with engine.connect() as one, engine.connect() as other:
        one.exec_driver_sql("BEGIN IMMEDIATE")
        other.exec_driver_sql("PRAGMA busy_timeout=0")
        with pytest.raises(DBAPIError) as caught:
            other.exec_driver_sql("BEGIN IMMEDIATE")
    assert "another process is writing" in explain(caught.value).cure
    engine.dispose()


def test_what_has_no_known_cure_leads_to_the_doctor(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with pytest.raises(IntegrityError) as caught, engine.begin() as connection:
        connection.execute(insert(meta), [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}])
    assert "doctor" in explain(caught.value).cure
    engine.dispose()
