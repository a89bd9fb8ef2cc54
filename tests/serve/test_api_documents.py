"""`/api/documents`, `/api/ingest` and `/api/runs`: what is there, what is sent, and the work that follows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from awaiting import eventually
from gatewheel.kernel import runs


@pytest.fixture(scope="module")
def own(serve: Any) -> Any:
    """A service whose documents change."""
    return serve(more="\n[model.slow]\nuse = 'openai'\nmodel = 'none'\nbase_url = 'http://127.0.0.1:9'\n")


@pytest.fixture
def http(own: Any) -> Iterator[Any]:
    with httpx2.Client(base_url=own.base_url, timeout=60) as client:
        yield client


def ended(http: Any, id_: str) -> dict[str, Any]:
    """Follow a run to its end through its events."""
    last: dict[str, Any] = {}
    with http.stream("GET", f"/api/runs/{id_}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            if line.startswith("data: "):
                last = json.loads(line.removeprefix("data: "))
    assert last["state"] not in ("queued", "running")
    return last


def test_documents_are_listed_by_page_and_sought(http: Any) -> None:
    first = http.get("/api/documents", params={"size": 2}).json()
    rest = http.get("/api/documents", params={"size": 2, "page": 2}).json()
    sources = [one["source"] for one in first["documents"] + rest["documents"]]
    assert sources == sorted(sources)
    assert len(sources) == first["total"]
    assert [one["source"] for one in http.get("/api/documents", params={"q": "KETTLE"}).json()["documents"]] == [
        "kettle.md"
    ]
    assert first["files"]["outdated"] is False


def test_a_document_shows_its_passages_inside_its_text(http: Any) -> None:
    shown = http.get("/api/documents/kettle.md").json()
    assert shown["passages"]
    for passage in shown["passages"]:
        start, end = passage["span"]
        assert shown["text"][start:end].strip()


@pytest.mark.parametrize("source", ["nothing.md", "..%2f..%2fetc%2fpasswd", "%00", "gatewheel.toml"])
def test_what_is_not_there_is_404_or_refused(http: Any, source: str) -> None:
    answer = http.get(f"/api/documents/{source}")
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["message"]


def test_an_upload_is_kept_byte_for_byte_and_can_be_asked(http: Any, own: Any) -> None:
    content = b"# Stapler\r\n\r\nThe red stapler belongs to Milton.\r\n"
    sent = http.post("/api/documents", files=[("files", ("../../Stapler .md", content, "text/markdown"))])
    assert sent.status_code == 202, sent.text
    assert sent.json()["saved"] == ["uploads/Stapler .md"]
    assert (own.project.config.root / "uploads" / "Stapler .md").read_bytes() == content
    run = ended(http, sent.json()["run"])
    assert run["state"] == "done", run
    answer = http.post("/api/ask", json={"question": "Who does the red stapler belong to?", "app": "quoting"}).json()
    assert "Milton" in answer["answer"]
    gone = http.delete("/api/documents/uploads/Stapler .md")
    assert gone.status_code == 202, gone.text
    assert ended(http, gone.json()["run"])["state"] == "done"
    assert http.get("/api/documents/uploads/Stapler .md").status_code == 404
    assert http.delete("/api/documents/uploads/Stapler .md").status_code == 404


def test_an_upload_never_leaves_its_folder(http: Any, own: Any) -> None:
    root = own.project.config.root
    (root / "uploads").mkdir(exist_ok=True)
    (root / "uploads" / "linked.md").symlink_to(root / "kettle.md")
    (root / "uploads" / "folder.md").mkdir()
    before = (root / "kettle.md").read_bytes()
    names = ["linked.md", "folder.md", "..", "", "photo.png", "archive.zip"]
    sent = http.post("/api/documents", files=[("files", (name or " ", b"x", "text/plain")) for name in names]).json()
    assert sent["saved"] == []
    assert sent["run"] is None
    assert len(sent["refused"]) == len(names)
    assert (root / "kettle.md").read_bytes() == before
    assert not list((root / "uploads").glob(".*.part"))
    assert http.delete("/api/documents/uploads/linked.md").status_code == 404
    assert http.delete("/api/documents/kettle.md").status_code == 400
    assert http.delete("/api/documents/uploads/../kettle.md").status_code in (400, 404)
    assert (root / "kettle.md").exists()
    (root / "uploads" / "linked.md").unlink()
    (root / "uploads" / "folder.md").rmdir()


def test_a_body_that_is_no_form_is_refused(http: Any) -> None:
    assert http.post("/api/documents", content=b"x", headers={"content-type": "text/plain"}).status_code == 400
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert http.post("/api/documents", content=b"--y\r\nnonsense", headers=broken).status_code == 400
    assert http.post("/api/documents", content=b"", headers={"content-type": "multipart/form-data"}).status_code == 400


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", ".gatewheel/gatewheel.db", ".env", ""])
def test_only_the_project_itself_can_be_read_from_afar(http: Any, path: str) -> None:
    assert http.post("/api/ingest", json={"paths": [path]}).status_code == 400


def test_a_run_ends_and_tells_its_result(http: Any, own: Any) -> None:
    (own.project.config.root / "lamp.md").write_text("# Lamp\n\nThe lamp in the hall has 40 watts.\n")
    run = http.post("/api/ingest", json={}).json()["run"]
    last = ended(http, run)
    assert last["state"] == "done"
    assert last["result"]["added"] == 1
    assert http.get(f"/api/runs/{run}").json() == last
    assert run in [one["id"] for one in http.get("/api/runs").json()["runs"]]
    assert http.get(f"/api/runs/{run}/log").headers["content-type"].startswith("text/plain")
    for move in ("cancel", "resume"):
        refused = http.post(f"/api/runs/{run}/{move}")
        assert refused.status_code == 409, refused.text
        assert refused.json()["error"]["message"]
    for path in ("", "/events", "/log"):
        assert http.get(f"/api/runs/none-such{path}").status_code == 404


def test_two_runs_come_one_after_the_other_and_one_can_be_called_off(http: Any) -> None:
    first, second, third = (http.post("/api/ingest", json={}).json()["run"] for _ in range(3))
    assert http.post(f"/api/runs/{third}/cancel").json()["state"] == "cancelled"
    assert [ended(http, run)["state"] for run in (first, second)] == ["done", "done"]
    assert http.get(f"/api/runs/{third}").json()["state"] == "cancelled"
    assert http.post(f"/api/runs/{third}/resume").status_code == 200
    assert ended(http, third)["state"] == "done"


def test_a_run_that_was_left_behind_is_shown_as_such_until_it_is_resumed(http: Any, own: Any) -> None:
    engine = own.project.parts.engine
    left = runs.create(engine, "ingest", settings={"paths": [], "fields": {}}, config={})
    runs.let_go(engine, left)
    assert http.get(f"/api/runs/{left}").json()["state"] == "interrupted"
    assert http.post(f"/api/runs/{left}/resume").status_code == 200
    eventually(lambda: http.get(f"/api/runs/{left}").json()["state"] == "done")
