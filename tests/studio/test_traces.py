"""Traces and runs in the browser: filters in the URL, one trace as a waterfall, a run that is cancelled and resumed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gatewheel.kernel import runs
from serving import Served

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
DRAFTED = "How much does the crane lift?"
NOWHERE = "Who composed the Moonlight Sonata?"


@pytest.fixture(scope="module")
def asked(served: Served) -> str:
    """The id of the trace of a drafted answer; another abstains, a third has a thumb down."""
    served.project.ask(NOWHERE)
    bad = served.project.ask("When is the rope of the crane changed?", app="quote")
    served.project.give_feedback(str(bad.trace), thumb="down", comment="too short", wrong_citations=[1])
    return str(served.project.ask(DRAFTED).trace)


def questions(page: Any) -> list[str]:
    page.locator("#list[aria-busy]").wait_for(state="detached")
    return [str(text) for text in page.locator(".row-link").all_inner_texts()]


def test_filters_stand_in_the_url_and_hold(visit: Any, asked: str) -> None:
    page = visit("/traces")
    assert {NOWHERE, DRAFTED} <= set(questions(page))
    page.select_option("[name=abstained]", "true")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/traces?abstained=true")
    found = questions(page)
    assert NOWHERE in found
    assert DRAFTED not in found
    assert page.input_value("[name=abstained]") == "true"
    page.goto("/traces?thumb=down")
    assert questions(page) == ["When is the rope of the crane changed?"]
    page.goto("/traces?q=Moonlight&since=1h")
    assert questions(page) == [NOWHERE]
    page.goto("/traces?q=nothing+of+the+kind")
    page.get_by_text("No trace matches").wait_for()


def test_a_trace_shows_its_steps_prompt_passages_and_tokens(visit: Any, asked: str, picture: Any) -> None:
    page = visit(f"/traces/{asked}")
    page.get_by_role("heading", name=DRAFTED).wait_for()
    assert page.locator(".waterfall-name").all_inner_texts() == [
        "retrieve",
        "check question",
        "build context",
        "generate",
        "check",
    ]
    assert "written" in page.locator(".facts div", has_text="Tokens").inner_text()
    picture(page, "trace")
    page.locator(".waterfall summary", has_text="generate").click()
    assert page.get_by_text("gen_ai.request.model").is_visible()
    page.locator(".message summary", has_text="user").click()
    assert DRAFTED in page.locator(".message[open] pre").inner_text()
    best = page.locator(".scored a").first
    assert best.get_attribute("href").startswith("/documents/crane.md?span=")


def test_feedback_is_shown_and_can_be_given_on_a_trace(visit: Any, served: Served, asked: str) -> None:
    page = visit(f"/traces/{asked}")
    page.click("[aria-label='Bad answer']")
    page.wait_for_selector("[aria-label='Bad answer'][aria-pressed=true]")
    page.reload()
    page.wait_for_selector("[aria-label='Bad answer'][aria-pressed=true]")
    assert page.locator(".said li").count() == 1
    assert [one.thumb for one in served.project.feedback(trace=asked)] == ["down"]


def test_the_variant_of_an_answer_leads_to_all_its_traces(visit: Any, served: Served, asked: str) -> None:
    page = visit(f"/traces/{asked}")
    page.locator(".facts a").click()
    page.wait_for_url("**/traces?variant=*")
    assert parse_qs(urlsplit(page.url).query)["variant"] == [served.project.variant().id]
    assert DRAFTED in questions(page)


def test_paging_goes_to_older_traces_and_back(visit: Any, served: Served, asked: str) -> None:
    page = visit("/traces")
    questions(page)
    oldest = served.project.traces(limit=1000)[-1]
    page.goto(f"/traces?before={oldest.created + 0.001}")
    assert questions(page) == [oldest.question]
    page.get_by_role("link", name="Newest").click()
    page.wait_for_url("**/traces")


def test_a_run_is_resumed_and_followed_to_its_end(visit: Any, served: Served, picture: Any) -> None:
    engine = served.project.parts.engine
    id_ = runs.create(engine, "ingest", settings={"paths": [], "fields": {}}, config=served.project.config.plain())
    assert runs.call_off(engine, id_)
    page = visit("/runs")
    row = page.locator(".row", has_text=id_)
    sync_api.expect(row).to_contain_text("cancelled")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{id_}")
    page.get_by_role("button", name="Resume").click()
    page.locator(".progress", has_text="done: 0 new").wait_for()
    assert page.get_by_role("button", name="Resume").count() == 0
    assert runs.get(engine, id_).state == "done"
    picture(page, "run")


def test_a_run_that_waits_can_be_cancelled(visit: Any, served: Served) -> None:
    engine = served.project.parts.engine
    id_ = runs.create(engine, "ingest", settings={"paths": [], "fields": {}}, config=served.project.config.plain())
    page = visit(f"/runs/{id_}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Resume").wait_for()
    assert runs.get(engine, id_).state == "cancelled"
