"""`/api/traces`, `/api/feedback` and `/api/wheel`: what was asked, what people said of it, and what to do next."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest


@pytest.fixture(scope="module")
def http(serve: Any) -> Any:
    with httpx2.Client(base_url=serve().base_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def asked(http: Any) -> list[str]:
    """The traces of three questions, the last of which has no answer."""
    questions = ["What does the kettle hold?", "Who is the toner ordered from?", "Who won the war of the roses?"]
    answers = [http.post("/api/ask", json={"question": one, "app": "quoting"}).json() for one in questions]
    assert [answer["abstained"] for answer in answers] == [False, False, True]
    return [answer["trace"] for answer in answers]


def test_traces_are_listed_newest_first_and_by_page(http: Any, asked: list[str]) -> None:
    first = http.get("/api/traces", params={"limit": 2}).json()
    assert [one["id"] for one in first["traces"]] == [asked[2], asked[1]]
    second = http.get("/api/traces", params={"limit": 2, "before": first["next"]}).json()
    assert [one["id"] for one in second["traces"]] == [asked[0]]
    assert second["next"] is None


def test_traces_are_filtered(http: Any, asked: list[str]) -> None:
    def found(**filters: Any) -> list[str]:
        answer = http.get("/api/traces", params=filters)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["traces"]]

    assert found(q="TONER") == [asked[1]]
    assert found(abstained="true") == [asked[2]]
    assert found(kind="completion") == []
    assert found(variant="0" * 64) == []
    assert found(since=9e9) == []
    assert found(q="%") == []


def test_one_trace_is_shown_with_its_steps(http: Any, asked: list[str]) -> None:
    shown = http.get(f"/api/traces/{asked[0][:12]}").json()
    assert shown["id"] == asked[0]
    assert any("retriev" in span["name"] for span in shown["spans"])
    assert http.get("/api/traces/none").status_code == 404


def test_feedback_is_kept_once_and_shows_at_its_trace(http: Any, asked: list[str]) -> None:
    said = {"trace": asked[1], "thumb": "down", "correction": "Ada Brown orders it.", "wrong_citations": [1]}
    first, again = (http.post("/api/feedback", json=said) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    shown = http.get(f"/api/traces/{asked[1]}").json()
    assert shown["feedback"] == [first.json()]
    assert shown["thumb"] == "down"
    assert [one["id"] for one in http.get("/api/traces", params={"thumb": "down"}).json()["traces"]] == [asked[1]]
    row = http.get("/api/traces", params={"q": "toner"}).json()["traces"][0]
    assert (row["thumb"], row["feedback"]) == ("down", 1)
    assert http.get("/api/feedback", params={"trace": asked[1]}).json()["feedback"] == [first.json()]
    assert http.get("/api/feedback", params={"trace": asked[0]}).json()["feedback"] == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"trace": "unknown", "thumb": "up"}, 404),
        ({"trace": "0" * 32, "thumb": "up"}, 404),
        ({}, 400),
        ({"score": 2}, 400),
        ({"score": "high"}, 400),
        ({"thumb": "left"}, 400),
        ({"wrong_citations": [99]}, 400),
        ({"comment": "a\u0000"}, 400),
        ({"comment": "\ud800"}, 400),
        ({"thumb": "up", "mood": "good"}, 400),
    ],
)
def test_feedback_that_cannot_be_meant_is_refused(http: Any, asked: list[str], said: Any, status: int) -> None:
    import json

    body = json.dumps({"trace": asked[0], **said})
    answer = http.post("/api/feedback", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_the_wheel_counts_and_knows_what_is_next(http: Any, asked: list[str]) -> None:
    wheel = http.get("/api/wheel").json()
    assert wheel["documents"]["count"] == 3
    assert wheel["asks"]["week"] >= 3
    assert wheel["asks"]["abstained_week"] == 1
    assert wheel["next"]["text"]
    assert wheel["next"]["href"].startswith("/")
