"""What is too old goes with all that hangs on it, and nothing else does."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select

from gatewheel.kernel import config, trace
from gatewheel.kernel.nouns import Feedback, Trace
from gatewheel.kernel.store.schema import responses
from gatewheel.loop.compose import Parts
from gatewheel.loop.tidying import DAY, keep_tidy
from gatewheel.ops import feedback, retention
from gatewheel.ops.retention import Purged, purge


def fill(engine: Engine, number: int, created: float) -> None:
    trace.keep(
        engine,
        Trace(
            id=f"{number:032x}",
            created=created,
            kind="ask",
            question="q",
            answer="a",
            abstained=False,
            variant="v",
            seconds=1,
            input_tokens=0,
            output_tokens=0,
        ),
    )
    feedback.keep(engine, Feedback(id="", trace=f"{number:032x}", created=created + 1_000, thumb="up"))
    with engine.begin() as connection:
        connection.execute(insert(responses).values(id=f"r{number}", created=created, key="", messages=[], body={}))


def test_only_what_is_older_goes_with_its_feedback(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    for number in range(10):
        fill(engine, number, created=float(number))
    assert purge(engine, older_than=7.0) == Purged(traces=7, feedback=7, responses=7)
    assert [one.created for one in trace.recent(engine, limit=20)] == [9.0, 8.0, 7.0]
    assert {one.trace for one in feedback.recent(engine, limit=20)} == {f"{number:032x}" for number in (7, 8, 9)}
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(responses)).scalar() == 3
    assert purge(engine, older_than=7.0) == Purged()


@pytest.mark.parametrize(("days", "left"), [(0, 2), (7, 1)])
def test_a_service_forgets_what_the_settings_say(tmp_path: Path, days: int, left: int) -> None:
    told: list[str] = []
    parts = Parts(config.validate({"trace": {"keep_days": days}}, tmp_path / "gatewheel.toml"), say=told.append)
    fill(parts.engine, 1, created=time.time() - 8 * DAY)
    fill(parts.engine, 2, created=time.time() - 6 * DAY)
    stopped = threading.Event()
    thread = threading.Thread(target=keep_tidy, args=(parts, stopped), kwargs={"every": 0.01})
    thread.start()
    while len(trace.recent(parts.engine, limit=5)) > left:
        time.sleep(0.01)
    stopped.set()
    thread.join()
    assert len(trace.recent(parts.engine, limit=5)) == left
    assert bool(told) == (days > 0)
    parts.close()
