"""Runs that are begun over HTTP stop at the limits of money, and are booked on the key that began them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from awaiting import eventually
from examinee import Examinee, examinee, numbered, project, suite
from gatewheel.kernel.nouns import Usage
from gatewheel.ops import keys, spending
from judged import JUDGE, golden, grading
from serving import Served, running

DOLLAR = 1_000_000 / 7  # a call of the endpoint, which says 5 and 2 tokens, costs one
CASES = 40


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(grading(lambda _: 3)) as it:
        yield it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, endpoint: Examinee) -> Iterator[Served]:
    """A service whose two models cost a dollar a call; [serve] lets 1,000 be spent a day."""
    prices = f"input_price = {DOLLAR}\noutput_price = {DOLLAR}\n"
    root = project(tmp_path_factory.mktemp("paying"), endpoint.url, parallel=1)
    toml = root / "gatewheel.toml"
    tables = toml.read_text(encoding="utf-8").replace("max_retries = 0\n", f"max_retries = 0\n{prices}")
    toml.write_text(f"{tables}{JUDGE}[serve]\ndollars_per_day = 1000\n", encoding="utf-8")
    (root / "helpful.md").write_text("4: all stars. 1: none.\n", encoding="utf-8")
    golden(root, [("a *", [2.0])])
    suite(root, numbered(CASES), name="answers", metrics=["exact-match"])
    suite(root, numbered(CASES), name="judged", metrics=["helpful"])
    suite(root, numbered(3), name="few", metrics=["exact-match"], max_tokens=9)
    with running(gw.open(root)) as it:
        yield it


@pytest.fixture
def http(served: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=served.base_url, timeout=120) as client:
        yield client


def key(served: Served, name: str, dollars: float | None = None) -> tuple[str, dict[str, str]]:
    one, secret = keys.create(
        served.project.parts.engine, name=name, scopes=("operate",), groups=("*",), dollars_per_day=dollars
    )
    return one.id, {"Authorization": f"Bearer {secret}"}


def begun(http: Any, header: dict[str, str], name: str) -> Any:
    """The run of a suite, once it is over."""
    started = http.post(f"/api/evals/suites/{name}/run", json={}, headers=header)
    assert started.status_code == 202, started.text
    path = f"/api/runs/{started.json()['run']}"
    eventually(lambda: http.get(path, headers=header).json()["state"] not in ("queued", "running"), seconds=120)
    return http.get(path, headers=header).json()


def test_a_run_is_booked_on_its_key_and_ends_when_the_day_is_spent(
    served: Served, http: Any, endpoint: Examinee
) -> None:
    engine, (id_, header) = served.project.parts.engine, key(served, "few dollars", 10)
    run = begun(http, header, "answers")
    assert run["state"] == "failed"
    assert "the key 'few dollars' has spent its 10 dollars of today" in run["error"]
    assert "resume the run" in run["error"]
    spent = spending.spent_today(engine, id_)
    assert 10 <= spent <= 14, "what was under way is paid for"
    asked = len(endpoint.requests)
    for path, body in (("evals/suites/answers/run", {}), (f"runs/{run['id']}/resume", {})):
        refused = http.post(f"/api/{path}", json=body, headers=header)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota"), path
        assert "Retry-After" in refused.headers
    gate = http.post("/api/releases/main/gate", json={"variant": "main"}, headers=header)
    assert gate.status_code == 429
    assert len(endpoint.requests) == asked
    assert http.get("/api/runs", headers=header).status_code == 200, "to look costs nothing"
    rich_id, rich = key(served, "rich")
    assert begun(http, rich, "answers")["state"] == "done", "what was answered is not asked again"
    # what was cut off is paid for by what was read, and asked again
    assert spending.spent_today(engine, rich_id) == pytest.approx(CASES - spent, abs=1)


def test_what_a_judge_costs_is_booked_too_and_stops_it_though_all_is_answered(served: Served, http: Any) -> None:
    engine, (rich_id, rich), (id_, header) = served.project.parts.engine, key(served, "first"), key(served, "second", 5)
    assert begun(http, rich, "answers")["state"] == "done"  # the same questions as of the suite that is judged
    before = spending.spent_today(engine, rich_id)
    run = begun(http, header, "judged")
    assert (run["state"], "has spent its 5 dollars" in json.dumps(run)) == ("failed", True)
    assert 5 <= spending.spent_today(engine, id_) <= 8
    assert spending.spent_today(engine, rich_id) == before


def test_what_all_may_spend_together_holds_for_runs(served: Served, http: Any) -> None:
    engine, (_, header) = served.project.parts.engine, key(served, "third")
    spending.spend(engine, "", Usage(cost=2000.0))
    refused = http.post("/api/evals/suites/few/run", json={}, headers=header)
    assert (refused.status_code, "the 1000 dollars" in refused.text) == (429, True)
