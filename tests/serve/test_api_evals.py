"""Reports and releases over HTTP: figures, cases side by side, what limited keys see, what an operator may change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.gating import decide
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys, releases
from serving import Served, running


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with reports of three applications, of which one passed the gate."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("judged") / "rooms")))
    for app in ("main", "deaf", "same"):
        project.evaluate(Wanted(suite="rooms", app=app))
    project.evaluate(Wanted(suite="rooms", app="main", limit=6))
    with running(project) as it:
        yield it


@pytest.fixture(scope="module")
def http(judged: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=judged.base_url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def ids(http: Any) -> dict[str, str]:
    """The ids of the whole reports by their applications."""
    found = http.get("/api/evals").json()["reports"]
    return {one["target"].removeprefix("app "): one["id"] for one in found if one["cases"] == 40}


def compare(http: Any, *report: str, **more: Any) -> Any:
    return http.get("/api/evals/compare", params={"report": list(report), **more})


def rows(http: Any, *report: str, **more: Any) -> Any:
    return http.get("/api/evals/rows", params={"report": list(report), **more})


def test_suites_and_reports_are_listed_the_newest_first(http: Any, judged: Served) -> None:
    path = judged.project.config.root / "suites" / "broken.toml"
    path.write_text("metrics = 3\n", encoding="utf-8")
    found = http.get("/api/evals").json()
    path.unlink()
    assert [one["target"] for one in found["reports"]] == ["app main", "app same", "app deaf", "app main"]
    broken, rooms = found["suites"]
    assert "metrics" in broken["fault"]
    assert (rooms["name"], rooms["cases"], rooms["target"]) == ("rooms", 40, "app main")
    assert {one["suite_id"] for one in found["reports"]} == {rooms["suite_id"]}
    assert http.get("/api/evals", params={"suite": "other"}).json()["reports"] == []


def test_reports_side_by_side_have_figures_with_intervals_and_differences_to_the_first(
    http: Any, ids: dict[str, str]
) -> None:
    found = compare(http, ids["deaf"], ids["main"], ids["same"]).json()
    inclusion, abstention = found["metrics"]
    assert (inclusion["metric"], inclusion["bounds"], inclusion["better"]) == ("inclusion", [0, 1], "higher")
    assert [one["cases"] for one in inclusion["figures"]] == [40, 40, 40]
    figure = inclusion["figures"][1]
    assert 0 < figure["low"] < figure["value"] == 0.925 < figure["high"] < 1
    assert inclusion["differences"][0] is None
    assert [one["verdict"] for one in inclusion["differences"][1:]] == ["better", "better"]
    assert abstention["differences"][1]["difference"] == 1.0
    assert "4711" not in json.dumps(found)


def test_slices_are_told_by_one_metric(http: Any, ids: dict[str, str]) -> None:
    params = {"report": [ids["deaf"], ids["main"]]}
    found = http.get("/api/evals/slices", params=params).json()
    assert found["metric"] == "inclusion"
    door, seats = found["slices"]
    assert (door["slice"], seats["slice"]) == ("door", "seats")
    assert (door["figures"][1]["value"], seats["figures"][1]["value"]) == (1.0, 0.85)
    assert door["differences"][1]["verdict"] == "better"
    other = http.get("/api/evals/slices", params={**params, "metric": "abstention"}).json()
    assert {one["metric"] for one in other["slices"]} == {"abstention"}


def test_one_report_alone_has_figures_only(http: Any, ids: dict[str, str]) -> None:
    found = compare(http, ids["main"][:12]).json()
    assert [one["id"] for one in found["reports"]] == [ids["main"]]
    assert [one["differences"] for one in found["metrics"]] == [[None], [None]]


def test_cases_have_what_each_report_has_of_them(http: Any, ids: dict[str, str]) -> None:
    found = rows(http, ids["main"], ids["deaf"], metric="inclusion", limit=3).json()
    assert (found["total"], len(found["cases"])) == (40, 3)
    first = found["cases"][0]
    assert first["question"] == "What is the code of the door of the amber room?"
    assert first["expected"] == ["4711"]
    assert "4711" in first["given"][0]["answer"]
    assert first["given"][1]["abstained"]
    assert (first["given"][0]["values"]["inclusion"], first["change"]) == ([1.0], 1.0)
    rest = rows(http, ids["main"], ids["deaf"], offset=3, limit=100).json()["cases"]
    assert len({one["case"] for one in [*found["cases"], *rest]}) == 40


def test_cases_are_chosen_by_slice_by_difference_and_by_error(http: Any, ids: dict[str, str]) -> None:
    def total(**wanted: Any) -> int:
        return int(rows(http, ids["main"], ids["deaf"], metric="inclusion", **wanted).json()["total"])

    assert total(slice="door") == 20
    assert total(show="differ") == 37
    assert total(show="differ", slice="seats") == 17
    assert total(show="errors") == 0
    alike = rows(http, ids["main"], ids["same"], show="differ").json()
    assert alike["total"] == 0


def test_a_case_that_only_one_report_has_is_null_in_the_other(http: Any, ids: dict[str, str]) -> None:
    few = next(one["id"] for one in http.get("/api/evals").json()["reports"] if one["cases"] == 6)
    found = rows(http, few, ids["deaf"], limit=100).json()
    assert found["total"] == 40
    assert sum(one["given"][0] is None for one in found["cases"]) == 34


@pytest.mark.parametrize("path", ["compare", "rows", "slices"])
def test_what_is_not_there_and_what_cannot_be_compared_is_refused(path: str, http: Any, ids: dict[str, str]) -> None:
    assert http.get(f"/api/evals/{path}", params={"report": ["none"]}).status_code == 404
    assert http.get(f"/api/evals/{path}").status_code == 400
    assert http.get(f"/api/evals/{path}", params={"report": [ids["main"]] * 7}).status_code == 400
    if path == "compare":
        return
    bad = http.get(f"/api/evals/{path}", params={"report": [ids["main"]], "metric": "nothing"})
    assert bad.status_code == 400
    assert "no metric 'nothing'" in bad.json()["error"]["message"]


def test_a_candidate_that_passed_is_released_and_rolled_back(http: Any, judged: Served) -> None:
    engine = judged.project.parts.engine
    main, deaf = (judged.project.parts.variant(name).id for name in ("main", "deaf"))
    before = next(one for one in http.get("/api/releases").json()["apps"] if one["app"] == "main")
    assert (before["released"], before["back"], before["file"], before["candidates"]) == ("", None, main, [])

    refused = http.post("/api/releases/main/promote", json={"variant": "deaf"})
    assert refused.status_code == 409
    assert "[gate.main] never judged" in refused.json()["error"]["message"]
    first = http.post("/api/releases/main/promote", json={"variant": "deaf", "override": "to begin with"})
    assert (first.status_code, first.json()["variant"]) == (200, deaf)
    decide(judged.project.parts, "main")
    [candidate] = next(one for one in http.get("/api/releases").json()["apps"] if one["app"] == "main")["candidates"]
    assert (candidate["variant"], candidate["passed"], candidate["app"]) == (main, True, "main")
    assert candidate["decisions"][0]["reason"]["reasons"][0]["metric"] == "inclusion"

    assert http.post("/api/releases/main/promote", json={"variant": main[:12]}).status_code == 200
    assert releases.current(engine, "main") == main
    stale = http.post("/api/releases/main/rollback", json={"released": deaf})
    assert stale.status_code == 409
    back = http.post("/api/releases/main/rollback", json={"released": main, "text": "too chatty"}).json()
    assert (back["action"], back["variant"], back["reason"]["text"]) == ("rollback", deaf, "too chatty")
    found = http.get("/api/releases", params={"app": "main"}).json()
    assert [one["action"] for one in found["history"]] == ["rollback", "promote", "gate", "promote"]
    assert (found["rows"], found["faults"]) == (4, [])
    [again] = next(one for one in found["apps"] if one["app"] == "main")["candidates"]
    assert (again["passed"], again["decisions"], again["left"]["reason"]["text"]) == (False, [], "too chatty")
    assert http.post("/api/releases/main/promote", json={"variant": main}).status_code == 409  # as the page says


def test_an_unknown_application_and_a_way_back_from_nothing_are_refused(http: Any) -> None:
    assert http.post("/api/releases/none/rollback", json={}).status_code == 404
    assert http.post("/api/releases/same/rollback", json={}).status_code == 409
    assert http.post("/api/releases/main/promote", json={"variant": "ffffffffffff"}).status_code == 409


def test_the_wheel_counts_reports_and_names_the_release(http: Any) -> None:
    wheel = http.get("/api/wheel").json()
    assert wheel["evaluate"]["suites"] == 1
    assert wheel["evaluate"]["reports"] >= 4


def test_reports_of_another_state_of_a_suite_are_not_compared(judged: Served, http: Any, ids: dict[str, str]) -> None:
    cases = judged.project.config.root / "suites" / "rooms.jsonl"
    before = cases.read_text(encoding="utf-8")
    more = {"question": "How many people does the cellar seat?", "references": ["none"]}
    cases.write_text(before + json.dumps(more) + "\n", encoding="utf-8")
    try:
        other = judged.project.evaluate(Wanted(suite="rooms", app="main", limit=4))
        assert http.get("/api/evals").json()["suites"][0]["suite_id"] == other.suite_id
        for path in ("compare", "slices", "rows"):
            refused = http.get(f"/api/evals/{path}", params={"report": [ids["main"], other.id]})
            assert refused.status_code == 400, path
            assert "gatewheel evals run rooms" in refused.json()["error"]["message"]
    finally:
        cases.write_text(before, encoding="utf-8")


def test_a_key_limited_to_groups_sees_figures_and_no_words_and_one_without_scope_nothing(
    judged: Served, http: Any, ids: dict[str, str]
) -> None:
    engine = judged.project.parts.engine
    made = [
        keys.create(engine, name=name, scopes=scopes, groups=groups)  # type: ignore[arg-type]
        for name, scopes, groups in (
            ("hr", ("operate",), ("hr",)),
            ("asks", ("ask", "feedback"), ("*",)),
            ("all", ("operate",), ("*",)),
        )
    ]
    hr, asks, every = ({"Authorization": f"Bearer {secret}"} for _, secret in made)
    try:
        seen = {"report": [ids["main"]]}
        assert http.get("/api/evals/compare", params=seen, headers=hr).json()["metrics"][0]["figures"][0]["cases"] == 40
        refused = http.get("/api/evals/rows", params=seen, headers=hr)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_groups")
        assert http.get("/api/evals/rows", params=seen, headers=every).status_code == 200
        for path in ("/api/evals", "/api/releases", "/api/evals/rows", "/api/evals/compare", "/api/evals/slices"):
            assert http.get(path, params=seen, headers=asks).status_code == 403
        for verb in ("promote", "rollback"):
            body = {"variant": "main"} if verb == "promote" else {}
            assert http.post(f"/api/releases/main/{verb}", json=body, headers=asks).status_code == 403
    finally:
        for key, _ in made:
            keys.revoke(engine, key.id)
