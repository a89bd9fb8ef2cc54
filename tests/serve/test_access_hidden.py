"""What a key may not see it cannot change, count, or read the name of, wherever it looks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

import gatewheel as gw
from gatewheel.kernel import runs, trace
from gatewheel.kernel.nouns import Feedback, Trace
from gatewheel.loop.project import Project
from gatewheel.ops import feedback, keys
from gatewheel.serve import app as application

TOML = """
[encoder.main]
use = "none"
[sources]
paths = ["uploads"]
[access]
rules = { "uploads/pay.md" = ["hr"] }
"""
PLAIN = Trace(
    id="",
    created=0.0,
    kind="ask",
    question="What does Ada earn?",
    answer="90000 [1]",
    abstained=True,
    variant="v",
    seconds=1.0,
    input_tokens=1,
    output_tokens=1,
)
FILES = {
    "pay.md": "# Pay\n\nAda earns 90000.\n",
    "open.md": "# Open\n\nAda has a kettle.\n",
    "staff.jsonl": '{"text": "Ada has a desk."}\n{"text": "Ada has debts.", "groups": ["hr"]}\n',
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    gw.init(tmp_path).close()
    (tmp_path / "gatewheel.toml").write_text(TOML)
    (tmp_path / "uploads").mkdir()
    for name, content in FILES.items():
        (tmp_path / "uploads" / name).write_text(content)
    with gw.open(tmp_path) as opened:
        opened.ingest()
        yield opened


@pytest.fixture
def client(project: Project) -> TestClient:
    app = application.create(project)
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1), raise_server_exceptions=False)


def make(project: Project, name: str, *scopes: Any, groups: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
    """The id of a new key and its header."""
    key, secret = keys.create(project.parts.engine, name=name, scopes=scopes, groups=groups)
    return key.id, {"Authorization": f"Bearer {secret}"}


def kept(project: Project, number: int, key: str) -> str:
    id_ = f"{number:032x}"
    trace.keep(project.parts.engine, replace(PLAIN, id=id_, key=key, created=time.time() - number))
    return id_


# documents


@pytest.mark.parametrize("name", ["pay.md", "staff.jsonl"])
def test_a_hidden_upload_is_neither_deleted_nor_replaced(project: Project, client: TestClient, name: str) -> None:
    _, header = make(project, "outside", "operate")
    path = project.config.root / "uploads" / name
    hidden = client.delete(f"/api/documents/uploads/{name}", headers=header)
    unknown = client.delete(f"/api/documents/uploads/x-{name}", headers=header)
    assert hidden.status_code == unknown.status_code == 404
    assert unknown.text.replace("x-", "") == hidden.text
    (path.parent / "folder.md").mkdir()
    files = [("files", (one, b"mine", "text/plain")) for one in (name, "folder.md")]
    sent = client.post("/api/documents", files=files, headers=header).json()
    assert sent["saved"] == []
    assert len({one["reason"] for one in sent["refused"]}) == 1, "a hidden file reads as any name that is taken"
    assert path.read_text() == FILES[name]


def test_what_an_operator_sees_it_replaces_and_deletes(project: Project, client: TestClient) -> None:
    for number, (groups, name) in enumerate([((), "open.md"), (("hr",), "pay.md"), (("*",), "staff.jsonl")]):
        _, header = make(project, f"inside {number}", "operate", groups=groups)
        files = [("files", (name, b"new", "text/plain"))]
        assert client.post("/api/documents", files=files, headers=header).json()["saved"] == [f"uploads/{name}"]
        assert client.delete(f"/api/documents/uploads/{name}", headers=header).status_code == 202
        assert not (project.config.root / "uploads" / name).exists()


def test_runs_name_no_hidden_document(project: Project, client: TestClient) -> None:
    engine = project.parts.engine
    id_ = runs.create(engine, "ingest", settings={"paths": []}, config={})
    skipped = {"added": 1, "skipped": [{"source": "uploads/pay.md", "reason": "broken"}]}
    runs.change(engine, id_, progress={"files": 1, "current": "uploads/pay.md"})
    runs.end(engine, id_, "failed", result=skipped, error="uploads/pay.md is broken")
    folder = project.config.state / "runs" / id_
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("uploads/pay.md")
    _, limited = make(project, "outside", "operate")
    _, whole = make(project, "all", "operate", groups=("*",))
    for path in ("/api/runs", f"/api/runs/{id_}", f"/api/runs/{id_}/events", f"/api/runs/{id_}/log"):
        assert "pay.md" in client.get(path, headers=whole).text
        assert "pay.md" not in client.get(path, headers=limited).text
    shown = client.get(f"/api/runs/{id_}", headers=limited).json()
    assert (shown["state"], shown["progress"]["files"], shown["result"]["added"]) == ("failed", 1, 1)
    refused = client.get(f"/api/runs/{id_}/log", headers=limited)
    assert refused.status_code == 403
    assert "'*'" in refused.json()["error"]["message"]


# traces


def test_feedback_reaches_only_traces_of_its_own_key(project: Project, client: TestClient) -> None:
    mine, header = make(project, "mine", "ask", "feedback")
    other, operator = make(project, "other", "operate", "feedback")
    own, foreign = kept(project, 1, mine), kept(project, 2, other)

    def give(id_: str, who: dict[str, str]) -> Any:
        return client.post("/api/feedback", json={"trace": id_, "thumb": "up", "wrong_citations": [1]}, headers=who)

    assert give(own, header).status_code == 201
    assert give(own, operator).status_code == 201
    for id_ in (foreign, foreign[:31], own[:12], own.upper() + "0", "%"):
        refused = give(id_, header)
        assert refused.status_code == 404
        assert own[:12] not in refused.text.replace(id_, "")
    assert {one.trace for one in feedback.recent(project.parts.engine, limit=9)} == {own}


def test_the_wheel_counts_what_the_key_may_know(project: Project, client: TestClient) -> None:
    engine = project.parts.engine
    who = {
        "asks": make(project, "asks", "ask"),
        "tells": make(project, "tells", "ask", "feedback"),
        "operates": make(project, "operates", "ask", "operate"),
        "hr": make(project, "hr", "ask", "feedback", "operate", groups=("hr",)),
        "all": make(project, "all", "ask", "feedback", "operate", groups=("*",)),
    }
    for number, name in enumerate(who, start=1):
        id_ = kept(project, number, who[name][0])
        feedback.keep(engine, Feedback(id="", trace=id_, created=1.0, thumb="down", correction="80000"))
    kept(project, 9, "")
    seen = {name: client.get("/api/wheel", headers=header).json() for name, (_, header) in who.items()}
    weeks = {name: wheel["asks"]["week"] for name, wheel in seen.items()}
    assert weeks == {"asks": 1, "tells": 1, "operates": 3, "hr": 4, "all": 6}
    assert {name: wheel["asks"]["abstained_week"] for name, wheel in seen.items()} == weeks
    downs = {name: wheel["feedback"]["down"] for name, wheel in seen.items()}
    assert downs == {"asks": 1, "tells": 1, "operates": 3, "hr": 4, "all": 5}
    for name in ("asks", "tells"):
        assert seen[name]["next"]["href"] == "/ask", "the pages of operators would refuse this key"
    assert seen["all"]["next"]["href"] == "/traces?abstained=true"


# faults


def test_a_store_that_fails_is_a_503_with_its_cure(project: Project, client: TestClient) -> None:
    with project.parts.engine.begin() as connection:
        connection.execute(text("DROP TABLE runs"))
    refused = client.get("/api/runs")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "the store cannot be used" in refused.json()["error"]["message"]


@pytest.mark.parametrize("said", [{"paths": ["\ud800"]}, {"\ud800": 1}])
def test_half_a_surrogate_pair_is_refused(client: TestClient, said: Any) -> None:
    body = json.dumps(said)
    assert client.post("/api/ingest", content=body, headers={"content-type": "application/json"}).status_code == 400
