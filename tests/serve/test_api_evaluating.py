"""Evaluations and gates begun over HTTP: what a suite can tell, who may begin, and how a run of them is told."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from awaiting import eventually
from gatewheel.kernel import runs
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys, releases
from serving import Served, running

STUBBORN = """
import signal, sys
import gatewheel as gw
from gatewheel.kernel import runs
with gw.open(sys.argv[1]) as project:
    signal.signal(signal.SIGTERM, lambda *_: None)
    runs.begin(project.parts.engine, sys.argv[2])
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a project that nobody evaluated yet; the deaf application is released."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("asked") / "rooms")))
    deaf = project.parts.keep_variant("deaf").id
    releases.promote(project.parts.engine, "main", deaf, gates={}, override="the first one")
    with running(project) as it:
        yield it


@pytest.fixture(scope="module")
def http(rooms: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=rooms.base_url, timeout=120) as client:
        yield client


def ended(http: Any, started: Any) -> Any:
    """The run that an answer names, once it is over."""
    assert started.status_code == 202, started.text
    path = f"/api/runs/{started.json()['run']}"
    eventually(lambda: http.get(path).json()["state"] not in ("queued", "running"), seconds=120)
    return http.get(path).json()


def ended_as(http: Any, headers: dict[str, str], path: str, body: dict[str, Any]) -> Any:
    """The run that a key began, once it is over."""
    run = f"/api/runs/{http.post(path, json=body, headers=headers).json()['run']}"
    eventually(lambda: http.get(run, headers=headers).json()["state"] not in ("queued", "running"), seconds=120)
    return http.get(run, headers=headers).json()


def candidate(http: Any, app: str) -> Any:
    one = next(one for one in http.get("/api/releases").json()["apps"] if one["app"] == "main")
    return next(each for each in one["candidates"] if each["app"] == app)


def refused(http: Any, **options: Any) -> Any:
    """What has become of the pass of the file's variant."""
    found = http.get("/api/releases/main/refused", **options).json()
    assert found["checked"]
    one = next(one for one in http.get("/api/releases", **options).json()["apps"] if one["app"] == "main")
    return next(each["refused"] for each in found["candidates"] if each["variant"] == one["file"])


def test_what_a_suite_can_tell_is_told_before_anybody_is_asked(http: Any) -> None:
    found = http.get("/api/evals/suites/rooms").json()
    assert (found["cases"], found["of"], found["target"]) == (40, 40, "app main")
    assert set(found["apps"]) == {"main", "deaf", "same"}
    whole = {one["metric"]: one for one in found["tells"]}
    assert whole["inclusion"]["bounds"] == [0, 1]
    few = http.get("/api/evals/suites/rooms", params={"limit": 10}).json()
    assert few["cases"] == 10
    assert few["tells"][0]["difference"] > whole["inclusion"]["difference"] > 0


def test_a_suite_is_run_and_its_reports_are_there(http: Any) -> None:
    started = http.post("/api/evals/suites/rooms/run", json={"apps": ["main", "same"], "limit": 4})
    run = ended(http, started)
    assert (run["kind"], run["state"], run["about"]) == ("evaluate", "done", "suite rooms, main, same")
    assert run["progress"]["total"] == 4
    made = {one["id"]: one for one in http.get("/api/evals").json()["reports"]}
    assert [made[id_]["target"] for id_ in run["result"]["reports"]] == ["app main", "app same"]
    assert {made[id_]["run"] for id_ in run["result"]["reports"]} == {run["id"]}


def test_what_cannot_be_run_is_refused_before_it_is_queued(http: Any, rooms: Served) -> None:
    before = len(runs.recent(rooms.project.parts.engine, limit=1000))
    for path, body, status in (
        ("evals/suites/none/run", {}, 404),
        ("evals/suites/rooms/run", {"apps": ["nobody"]}, 400),
        ("evals/suites/rooms/run", {"limit": -1}, 400),
        ("releases/none/gate", {"variant": "main"}, 404),
        ("releases/main/gate", {"variant": "ffffffff"}, 409),
        ("releases/same/gate", {"variant": "main"}, 409),
        ("releases/main/gate", {"variant": "main", "gate": "other"}, 409),
        ("releases/main/gate", {}, 400),
    ):
        assert http.post(f"/api/{path}", json=body).status_code == status, path
    assert http.get("/api/evals/suites/none").status_code == 404
    cross = {"Sec-Fetch-Site": "cross-site"}
    for path in ("evals/suites/rooms/run", "releases/main/gate"):
        assert http.post(f"/api/{path}", json={"variant": "main"}, headers=cross).status_code == 403
    assert len(runs.recent(rooms.project.parts.engine, limit=1000)) == before


def test_a_queued_run_tells_what_it_waits_for(http: Any) -> None:
    first, second = (http.post("/api/evals/suites/rooms/run", json={"apps": ["same"]}) for _ in range(2))
    path = f"/api/runs/{second.json()['run']}"
    eventually(lambda: http.get(path).json()["behind"] == "evaluate, suite rooms, same", seconds=60)
    assert ended(http, first)["behind"] == ""
    assert ended(http, second)["behind"] == ""


def test_a_run_that_was_told_to_stop_says_so_until_it_has(http: Any, rooms: Served) -> None:
    engine = rooms.project.parts.engine
    id_ = runs.create(engine, "ingest", settings={"paths": [], "fields": {}}, config={})
    words = [sys.executable, "-c", STUBBORN, str(rooms.project.config.root), id_]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as worker:
        eventually(lambda: runs.get(engine, id_).state == "running", seconds=60)
        asking = threading.Thread(target=http.post, args=(f"/api/runs/{id_}/cancel",))
        asking.start()
        eventually(lambda: http.get(f"/api/runs/{id_}").json()["cancelling"], seconds=5)
        worker.communicate()  # it hears nothing else
        asking.join(30)
    said = http.get(f"/api/runs/{id_}").json()
    assert (said["state"], said["cancelling"]) == ("cancelled", False)


def test_faults_of_a_request_are_told_in_words_and_name_the_field(http: Any) -> None:
    for path, words in (
        ("evals/suites/rooms?limit=-3", "limit must be at least 0, not -3"),
        ("evals/suites/rooms?limit=x", "limit must be a whole number, not x"),
        ("evals/models?cost=nope", "cost must be 'price', 'seconds', 'memory' or 'size', not nope"),
        ("evals/compare", "report is missing"),
        ("evals/compare?" + "report=a&" * 7, "report may hold 6 of them at most, not 7"),
        ("evals/labels/sheet?report=a&rater=" + "x" * 201, "rater may hold 200 characters at most, not 201"),
    ):
        found = http.get(f"/api/{path}")
        assert (found.status_code, found.json()["error"]["message"]) == (400, words)


def test_who_looks_for_a_page_that_is_not_there_gets_a_page_and_a_program_its_error(http: Any) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = http.get("/nowhere", headers=browser)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in page.text
    for path, headers in (("/nowhere", {}), ("/api/nowhere", browser), ("/v1/nowhere", browser)):
        assert http.get(path, headers=headers).json()["error"]["type"] == "not_found_error"


def test_a_reason_of_blanks_does_not_lead_past_the_gate(http: Any) -> None:
    said = http.post("/api/releases/main/promote", json={"variant": "same", "override": "   "})
    assert (said.status_code, said.json()["error"]["param"]) == (400, "override")
    assert "say why" in said.json()["error"]["message"]


def test_a_gate_is_asked_and_what_has_become_of_its_pass_is_told(http: Any, rooms: Served) -> None:
    run = ended(http, http.post("/api/releases/main/gate", json={"variant": "main"}))
    assert (run["kind"], run["about"]) == ("gate", "main before gate main")
    assert (run["result"]["decision"]["outcome"], run["result"]["row"]) == ("promote", 2)
    assert candidate(http, "main")["passed"]
    assert refused(http) == ""
    cases = rooms.project.config.root / "suites" / "rooms.jsonl"
    before = cases.read_text(encoding="utf-8")
    more = {"question": "How many people does the cellar seat?", "references": ["none"]}
    cases.write_text(before + json.dumps(more) + "\n", encoding="utf-8")
    try:
        why = refused(http)
        tried = http.post("/api/releases/main/promote", json={"variant": "main"})
        assert tried.status_code == 409
        assert candidate(http, "main")["passed"]
        assert tried.json()["error"]["message"].startswith(why)
        assert "changed since row 2" in why
    finally:
        cases.write_text(before, encoding="utf-8")
    assert refused(http) == ""
    assert http.get("/api/releases/none/refused").status_code == 404
    assert http.get("/api/releases/same/refused").json() == {"checked": True, "candidates": []}


def test_comparisons_are_remembered_until_something_that_decides_them_changes(http: Any, rooms: Served) -> None:
    ids = [one["id"] for one in http.get("/api/evals").json()["reports"] if one["cases"] == 40]
    params = {"report": ids}
    first = http.get("/api/evals/compare", params=params).json()
    held = len(rooms.service.compared)
    assert http.get("/api/evals/compare", params=params).json() == first
    assert len(rooms.service.compared) == held
    other = http.get("/api/evals/compare", params={**params, "margin": 0.5}).json()
    assert (other["margin"], len(rooms.service.compared)) == (0.5, held + 1)


def test_a_pass_holds_by_the_gates_that_the_file_asks_now(http: Any, rooms: Served) -> None:
    toml = rooms.project.config.root / "gatewheel.toml"
    before = toml.read_text(encoding="utf-8")
    assert refused(http) == ""
    for text, why in (
        (before.replace("inclusion = 0.0", "inclusion = 0.9"), "[gate.main] was changed since row"),
        (f'{before}\n[gate.safety]\nsuite = "rooms"\nfloors = {{ abstention = 0.5 }}\n', "[gate.safety] never judged"),
        (f"{before}\n[gate.main\n", "gatewheel.toml is not valid TOML"),
    ):
        toml.write_text(text, encoding="utf-8")
        try:
            tried = http.post("/api/releases/main/promote", json={"variant": "main"})
            assert (tried.status_code, why in tried.text) == (409, True), tried.text
            [one] = [one for one in http.get("/api/releases").json()["apps"] if one["app"] == "main"]
            assert ("safety" in one["gates"]) == ("safety" in why)
        finally:
            toml.write_text(before, encoding="utf-8")
    assert refused(http) == ""
    toml.write_text(before.replace("inclusion = 0.0", "inclusion = 0.1"), encoding="utf-8")
    try:
        run = ended(http, http.post("/api/releases/main/gate", json={"variant": "main"}))
        assert run["result"]["decision"]["outcome"] == "promote"
        assert refused(http) == "", "the run and the service read the same file"
    finally:
        toml.write_text(before, encoding="utf-8")
    assert "[gate.main] was changed since row" in refused(http)
    ended(http, http.post("/api/releases/main/gate", json={"variant": "main"}))
    assert refused(http) == ""


def test_only_operators_begin_and_who_sees_not_all_is_told_no_words_of_a_case(http: Any, rooms: Served) -> None:
    engine = rooms.project.parts.engine
    made = [
        keys.create(engine, name=name, scopes=scopes, groups=groups)  # type: ignore[arg-type]
        for name, scopes, groups in (("asks", ("ask", "feedback"), ("*",)), ("hr", ("operate",), ("hr",)))
    ]
    asks, hr = ({"Authorization": f"Bearer {secret}"} for _, secret in made)
    for path in ("evals/suites/rooms/run", "releases/main/gate"):
        assert http.post(f"/api/{path}", json={"variant": "main"}, headers=asks).status_code == 403
    reasons = [{"rule": "answered", "metric": "", "slice": "", "outcome": "reject", "text": "secret words"}]
    unfit = "helpful does not count: Ada gave case 'secret words' 9."
    reasons += [{"rule": "better", "metric": "helpful", "slice": "", "outcome": "reject", "text": unfit}]
    result = {"decision": {"outcome": "reject", "reasons": reasons}, "reports": [], "cases": 1, "of": 1}
    asked = {"candidate": "main", "gate": "main", "against": "", "author": ""}
    id_ = runs.create(engine, "gate", settings=asked, config={})
    runs.end(engine, id_, "done", result=result)
    shown = http.get(f"/api/runs/{id_}", headers=hr)
    assert shown.json()["result"]["decision"]["outcome"] == "reject"
    assert "secret words" not in shown.text


def test_a_fault_of_a_suite_repeats_no_case_to_who_does_not_see_every_document(http: Any, rooms: Served) -> None:
    engine = rooms.project.parts.engine
    keyed = {}
    for name, groups in (("some", ("hr",)), ("all", ("*",))):
        key, secret = keys.create(engine, name=name, scopes=("operate",), groups=groups)
        keyed[name] = (key, {"Authorization": f"Bearer {secret}"})
    suites = rooms.project.config.root / "suites"
    fresh = suites / "fresh.toml"  # without a report
    toml, learnt, cases = suites / "learnt.toml", suites / "learnt.jsonl", suites / "rooms.jsonl"
    asked, fault = cases.read_text(encoding="utf-8"), '{"question": "A?", "references": {"the vault": 1}}\n'
    toml.write_text('metrics = ["inclusion"]\nsplit = "train"\n', encoding="utf-8")
    learnt.write_text(fault, encoding="utf-8")
    try:
        promote = {"variant": "main"}
        run = ended_as(http, keyed["all"][1], "/api/releases/main/gate", promote)
        assert "the vault" in json.dumps(run["result"]["decision"])
        toml.unlink()
        run = ended_as(http, keyed["all"][1], "/api/releases/main/gate", promote)
        assert run["result"]["decision"]["outcome"] == "promote"
        cases.write_text(fault, encoding="utf-8")
        fresh.write_text('metrics = ["inclusion"]\ncases = "rooms.jsonl"\n', encoding="utf-8")
        for name, heard in (("all", True), ("some", False)):
            headers = keyed[name][1]
            tried = http.post("/api/releases/main/promote", json=promote, headers=headers)
            told = refused(http, headers=headers)
            assert tried.status_code == 409
            assert told
            gate = http.post("/api/releases/main/gate", json=promote, headers=headers)
            suite = http.get("/api/evals/suites/rooms", headers=headers)
            listed = http.get("/api/evals", headers=headers)
            models = http.get("/api/evals/models", params={"suite": "fresh"}, headers=headers)
            assert (gate.status_code, suite.status_code, models.status_code) == (409, 400, 400)
            for one in (gate, suite, listed, models):
                assert ("the vault" in one.text) == heard, one.text
            assert ("the vault" in tried.text, "the vault" in told) == (heard, heard), name
    finally:
        cases.write_text(asked, encoding="utf-8")
        toml.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
        learnt.unlink()
        for key, _ in keyed.values():
            keys.revoke(engine, key.id)
