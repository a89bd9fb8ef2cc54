"""What leaked into reports over HTTP: figures with and without, and the cases for who sees every document."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from gatewheel.loop import leaks_beside
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from serving import Served, running

WORDS_ONLY = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n'


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with reports of two applications on a suite of which three cases were trained on."""
    folder = gating.make(tmp_path_factory.mktemp("leaking") / "rooms", more=WORDS_ONLY)
    toml, cases = folder / "suites" / "rooms.toml", folder / "suites" / "rooms.jsonl"
    toml.write_text(f'{toml.read_text(encoding="utf-8")}trained_on = ["web.csv"]\n', encoding="utf-8")
    learn(folder, [json.loads(line)["question"] for line in cases.read_text(encoding="utf-8").splitlines()[:3]])
    project = open_for_serving(gw.open(folder))
    for app in ("main", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app))
    with running(project) as it:
        yield it


def learn(folder: Path, questions: list[str]) -> None:
    text = "question\n" + "".join(f'"{question.upper()}"\n' for question in questions)
    (folder / "suites" / "web.csv").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def http(leaking: Served) -> Iterator[Any]:
    with httpx2.Client(base_url=leaking.base_url, timeout=120) as client:
        yield client


def ids(http: Any) -> list[str]:
    found = {one["target"]: one["id"] for one in http.get("/api/evals").json()["reports"]}
    return [found["app deaf"], found["app main"]]


def test_figures_without_what_leaked_and_the_difference_then(http: Any) -> None:
    found = http.get("/api/evals/leaks", params={"report": ids(http)}).json()
    assert found["reports"] == ids(http)
    assert (found["leaks"]["cases"], found["leaks"]["sources"]) == (3, ["web.csv"])
    assert {hit["kind"] for hit in found["leaks"]["hits"]} <= {"run", "words", "vector"}
    for figures in found["without"]:
        assert [(one["metric"], one["every"]["cases"], one["rest"]["cases"]) for one in figures] == [
            ("inclusion", 40, 37),
            ("abstention", 40, 37),
        ]
    [rows] = found["differences"]
    assert [(one["metric"], one["cases"], one["verdict"]) for one in rows] == [
        ("inclusion", 37, "better"),
        ("abstention", 37, "better"),
    ]


def test_beside_a_report_of_few_cases_the_others_are_told_without_all_that_leaked(http: Any, leaking: Served) -> None:
    few = leaking.project.evaluate(Wanted(suite="rooms", app="same", limit=10)).id
    found = http.get("/api/evals/leaks", params={"report": [few, ids(http)[1]]}).json()
    assert found["leaks"]["cases"] == 3
    assert [one["rest"]["cases"] for one in found["without"][1]] == [37, 37]


def test_it_is_asked_anew_since_training_data_changes(http: Any, leaking: Served) -> None:
    root = leaking.project.config.root
    before = (root / "suites" / "web.csv").read_bytes()
    learn(root, ["Something else entirely?"])
    try:
        found = http.get("/api/evals/leaks", params={"report": ids(http)}).json()
    finally:
        (root / "suites" / "web.csv").write_bytes(before)
    assert found == {
        "reports": ids(http),
        "leaks": {"cases": 0, "sources": ["web.csv"], "unread": [], "vectors": False, "hits": []},
        "without": [],
        "differences": [],
    }


def test_a_look_takes_none_of_the_quick_threads(http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of_reports, threads = leaks_beside.of_reports, list[str]()

    def noted(*given: Any, **named: Any) -> Any:
        threads.append(threading.current_thread().name)
        return of_reports(*given, **named)

    monkeypatch.setattr(leaks_beside, "of_reports", noted)
    assert http.get("/api/evals/leaks", params={"report": ids(http)}).status_code == 200
    assert [name.partition("_")[0] for name in threads] == ["lookup"]


def test_an_unknown_report_is_not_found(http: Any) -> None:
    assert http.get("/api/evals/leaks", params={"report": "nope"}).status_code == 404


def test_who_does_not_see_every_document_hears_how_many_but_not_which(http: Any, leaking: Served) -> None:
    engine, wanted = leaking.project.parts.engine, {"report": ids(http)}
    hr, hr_secret = keys.create(engine, name="hr", scopes=("operate",), groups=("hr",))
    asks, ask_secret = keys.create(engine, name="asks", scopes=("ask", "feedback"), groups=("*",))
    try:
        told = http.get("/api/evals/leaks", params=wanted, headers={"Authorization": f"Bearer {hr_secret}"})
        assert (told.status_code, told.json()["leaks"]["cases"], told.json()["leaks"]["hits"]) == (200, 3, [])
        assert "amber" not in told.text
        refused = http.get("/api/evals/leaks", params=wanted, headers={"Authorization": f"Bearer {ask_secret}"})
        assert refused.status_code == 403
    finally:
        for key in (hr, asks):
            keys.revoke(engine, key.id)
