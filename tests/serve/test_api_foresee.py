"""`/api/improve/foresee`: what a tuning would take on this machine, said before it begins, and what would fit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from gatewheel.loop.serving import open_for_serving
from letters import written
from serving import running

pytest.importorskip("torch", reason="the extra train is not installed")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = written(tmp_path_factory.mktemp("foresee") / "letters")
    long = [{"question": f"{n} " + "a long letter about it " * 300, "references": ["delivery"]} for n in range(64)]
    (home / "suites" / "long-train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in long))
    (home / "suites" / "long-train.toml").write_text('metrics = ["exact-match"]\nsplit = "train"\n')
    with running(open_for_serving(gw.open(home))) as it, httpx2.Client(base_url=it.base_url, timeout=120) as client:
        yield client


def foreseen(http: Any, data: str, **changes: Any) -> Any:
    """What is said once it is known."""
    body = {"data": data, "changes": {"threads": 1, **changes}}
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = http.post("/api/improve/foresee", json=body).json()
        if found["checked"]:
            return found["foreseen"]
    raise AssertionError("nothing was foreseen")


def test_memory_time_and_disk_are_told_before_it_begins(http: Any) -> None:
    found = foreseen(http, "letters-train", steps=2)
    assert (found["fits"], found["steps"], found["without"]) == (True, 2, 0)
    assert found["examples"] == 12
    assert found["memory"] > 1e8
    assert min(found["seconds"], found["disk"], found["tokens"]) > 0
    assert found["settings"]["rank"] == 4
    versions = [one["version"] for one in http.get("/api/improve").json()["sets"]]
    assert found["dataset"] in versions


def test_what_cannot_fit_says_what_would(http: Any) -> None:
    found = foreseen(http, "long-train", micro_tokens=1_000_000_000, batch=1000)
    assert not found["fits"]
    assert "GB are free; this would fit: micro_tokens" in found["told"]
