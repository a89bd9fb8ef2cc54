"""`/api/improve`: what can be learned, what it takes, a tuning from its beginning to a variant, and who may do that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import gatewheel as gw
from awaiting import eventually
from gatewheel.data import datasets
from gatewheel.kernel import runs
from gatewheel.loop import courses
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from letters import THINGS, written
from serving import Served, running

pytest.importorskip("torch", reason="the extra train is not installed")
TUNING = {"data": "letters-train", "changes": {"steps": 400, "threads": 1, "evaluate_every": 2}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = written(tmp_path_factory.mktemp("improve") / "letters")
    with running(open_for_serving(gw.open(home))) as it:
        yield it


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=served.base_url, timeout=120) as client:
        yield client


def test_what_can_be_chosen_is_listed_with_counts_and_the_meaning_of_every_setting(http: Any) -> None:
    found = http.get("/api/improve").json()
    [one] = [one for one in found["sets"] if not one["version"]]
    assert (one["name"], one["cases"], one["teaching"], one["fault"]) == ("letters-train", 12, 12, "")
    apps = {one["app"]: one for one in found["apps"]}
    assert (apps["main"]["refused"], apps["main"]["gate"], apps["main"]["data"]) == ("", "main", "letters-train")
    assert "runs elsewhere" in apps["elsewhere"]["refused"]
    lora = next(one for one in found["methods"] if one["table"] == "lora")
    assert (lora["settings"]["rank"], lora["schema"]["properties"]["rank"]["default"]) == (4, 16)
    assert all(one.get("description") for one in lora["schema"]["properties"].values())


def near_of(http: Any) -> Any:
    return http.get("/api/improve/leaks", params={"data": "letters-train"}).json()


def test_a_set_is_looked_into_before_it_is_learned(http: Any, served: Served) -> None:
    found = http.get("/api/improve/data", params={"data": "letters-train"}).json()
    assert {one["reply"] for one in found["samples"]} == {"delivery", "refund"}
    assert found["samples"][0]["prompt"][0] == {
        "role": "system",
        "content": "Sort the letter.",
        "tool_calls": [],
        "tool_call_id": "",
    }
    assert found["replies"] == {"delivery": 6, "refund": 6}
    assert found["stats"]["reply"]["p95"] >= 1
    suite = served.project.config.root / "suites" / "letters-train.jsonl"
    before = suite.read_text(encoding="utf-8")
    near = {"question": f"When does the {THINGS[6]} come?", "references": ["delivery"]}
    suite.write_text(before + json.dumps(near) + "\n", encoding="utf-8")
    try:
        eventually(lambda: near_of(http)["checked"], seconds=60)
        leaks = near_of(http)["nearness"]
    finally:
        suite.write_text(before, encoding="utf-8")
    assert (leaks["suites"], leaks["cases"]) == (["letters"], 1)
    assert leaks["found"][0]["question"] == near["question"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("tunings", {"data": "nothing"}, "no suite or dataset 'nothing'"),
        ("tunings", {"data": "letters"}, "letters are held out, not for training; part it: gatewheel data split"),
        ("tunings", {**TUNING, "changes": {"rank": 0}}, "rank: must be at least 1, got 0"),
        ("tunings", {**TUNING, "changes": {"ranks": 8}}, "ranks: is not a setting"),
        ("tunings", {**TUNING, "app": "elsewhere"}, "'openai' runs elsewhere"),
        ("tunings", {**TUNING, "speed": 9}, "speed is not known here; leave it out"),
        ("foresee", {**TUNING, "table": "dpo"}, "no [finetune.dpo]"),
        ("turns", {"data": "0123456789"}, "'0123456789' is no suite; name a suite for training"),
        ("turns", {"budget": 1}, "budget must be at least 60"),
        ("turns", {"app": "elsewhere"}, "runs elsewhere"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_queued(
    http: Any, served: Served, path: str, body: dict[str, Any], said: str
) -> None:
    before = len(runs.recent(served.project.parts.engine, limit=None))
    answer = http.post(f"/api/improve/{path}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert len(runs.recent(served.project.parts.engine, limit=None)) == before


def test_a_tuning_is_begun_followed_kept_and_made_a_variant(http: Any, served: Served) -> None:
    id_ = http.post("/api/improve/tunings", json=TUNING).json()["run"]
    states = []
    with http.stream("GET", f"/api/runs/{id_}/events") as events:
        for line in events.iter_lines():
            if not line.startswith("data:"):
                continue
            told = json.loads(line[5:])
            states.append(told["state"])
            point = told["progress"].get("point", {})
            if point.get("step", 0) >= 2 and "kept" not in states:
                states.append("kept")
                assert http.post(f"/api/improve/tunings/{id_}/keep").status_code == 200
    assert states[-1] == "done"
    course = http.get(f"/api/improve/tunings/{id_}").json()
    assert course["wanted"]["data"] == "letters-train"
    assert course["losses"][1] <= course["losses"][0]
    looks = [one for one in course["points"] if one["samples"]]
    assert looks[0]["step"] == 0
    assert {"prompt", "reply", "written"} == set(looks[0]["samples"][0])
    rest = http.get(f"/api/improve/tunings/{id_}", params={"after": course["total"] - 1}).json()
    assert rest["points"] == course["points"][-1:]
    assert http.get(f"/api/runs/{id_}").json()["result"]["tuned"]["stopped"] == "asked"
    assert datasets.find(served.project.parts.engine, "letters-train").cases == 12
    assert course["variants"] == []
    added = http.post(f"/api/improve/tunings/{id_}/variant").json()["run"]
    eventually(lambda: http.get(f"/api/runs/{added}").json()["state"] not in ("queued", "running"), seconds=120)
    variant = http.get(f"/api/runs/{added}").json()["result"]["variant"]
    assert http.get(f"/api/improve/tunings/{id_}").json()["variants"] == [variant]
    late = http.post(f"/api/improve/tunings/{id_}/keep")
    assert (late.status_code, "is a tuning that is done" in late.text) == (409, True)


def test_a_course_is_told_of_what_tunes_alone_and_says_what_to_do_meanwhile(http: Any, served: Served) -> None:
    parts = served.project.parts
    other = runs.create(parts.engine, "ingest", settings={"paths": []}, config={})
    assert http.get(f"/api/improve/tunings/{other}").status_code == 404
    assert http.get("/api/improve/tunings/none").status_code == 404
    asked = {"data": "letters-train", "table": "lora", "app": "main", "base": "", "changes": {}, "payer": "someone"}
    id_ = runs.create(parts.engine, "finetune", settings=asked, config={})
    notes = Notebook(parts.config.state, id_, "points")
    for step, (loss, validation) in enumerate([(4.0, 4.0), (2.0, 1.0), (1.0, 1.5)]):
        notes.keep(f"learning {step}", {"phase": "learning", "step": step, "steps": 9, "loss": loss, "at": 1.0})
        notes.keep(f"looking {step}", {"phase": "looking", "step": step, "steps": 9, "validation": validation})
    runs.change(parts.engine, id_, state="running", progress={"done": 2, "total": 9})
    found = http.get(f"/api/improve/tunings/{id_}").json()
    assert "rises since step 1" in found["advice"]
    assert "stop and keep" in found["advice"]
    assert (found["best_step"], found["losses"], found["adapter"]) == (1, [4.0, 1.0, 1.5], "")
    assert "payer" not in found["wanted"]
    assert http.post(f"/api/improve/tunings/{id_}/variant").status_code == 409
    runs.end(parts.engine, id_, "cancelled")
    assert courses.course(parts, id_).advice == ""


def test_why_a_turn_failed_its_gate_is_told_to_who_sees_every_document(http: Any, served: Served) -> None:
    engine = served.project.parts.engine
    asked = {"app": "main", "data": "letters-train", "table": "lora", "gate": "main", "budget": 1800.0}
    id_ = runs.create(engine, "improve", settings=asked, config={})
    runs.end(engine, id_, "done", result={"outcome": "reject", "reasons": ["Where is the will of Ann? has no answer"]})
    key, secret = keys.create(engine, name="hr", scopes=("operate",), groups=("hr",))
    whole, whole_secret = keys.create(engine, name="whole", scopes=("operate",), groups=("*",))
    limited = http.get(f"/api/runs/{id_}", headers={"X-API-Key": secret})
    assert limited.json()["result"] == {"outcome": "reject", "reasons": []}
    assert "Ann" in http.get(f"/api/runs/{id_}", headers={"X-API-Key": whole_secret}).text
    for one in (key, whole):
        keys.revoke(engine, one.id)


def test_only_operators_who_see_every_document_learn_of_them(http: Any, served: Served) -> None:
    engine = served.project.parts.engine
    calls = [("GET", ""), ("GET", "/data?data=letters-train"), ("GET", "/leaks?data=letters-train")]
    calls += [("POST", path) for path in ("/foresee", "/tunings", "/turns", "/tunings/x/keep", "/tunings/x/variant")]
    calls += [("GET", "/tunings/x")]
    made = []
    for name, scopes, groups in (("asks", ("ask", "feedback"), ("*",)), ("some", ("operate",), ("hr",))):
        key, secret = keys.create(engine, name=name, scopes=scopes, groups=groups)
        made.append(key)
        for method, path in calls:
            body = None if method == "GET" else TUNING
            answer = http.request(method, f"/api/improve{path}", json=body, headers={"X-API-Key": secret})
            assert answer.status_code == 403, (name, path)
    cross = {"Sec-Fetch-Site": "cross-site", "X-API-Key": ""}
    key, secret = keys.create(engine, name="all", scopes=("operate",), groups=("*",))
    assert http.get("/api/improve", headers={"X-API-Key": secret}).status_code == 200
    for one in (*made, key):
        keys.revoke(engine, one.id)
    assert http.post("/api/improve/tunings", json=TUNING, headers=cross).status_code in (401, 403)
