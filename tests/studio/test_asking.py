"""Long evaluation from the browser: a suite is run, a gate is asked, and a pass that no longer holds is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import gatewheel as gw
import gating
from gatewheel.kernel import runs
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.reports import find, heads
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import releases
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")
LONG = 120_000  # milliseconds: a worker starts, and the machine may be busy


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service without reports, in which the deaf application is released."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("asked") / "rooms")))
    deaf = project.parts.keep_variant("deaf").id
    releases.promote(project.parts.engine, "main", deaf, gates={}, override="the first one")
    with running(project) as it:
        yield it


def test_a_suite_is_run_followed_and_shown(visit: Any, asked: Served, picture: Any) -> None:
    page = visit("/evaluate", base_url=asked.base_url)
    page.get_by_text("No report of this suite yet").wait_for()
    page.get_by_role("button", name="Run the suite").first.click()
    page.locator("#tells dl").wait_for()
    whole = page.inner_text("#tells")
    assert page.locator("#targets [name=app]:checked").input_value() == "main"
    page.locator("#targets [value=same]").check()
    page.locator("#limit").fill("8")
    sync_api.expect(page.locator("#asking-about")).to_contain_text("8 of 40 cases")
    assert page.inner_text("#tells") != whole
    picture(page, "evaluate-run")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("#run .progress").wait_for()
    assert page.inner_text(".run-about") == "suite rooms, main, same"
    sync_api.expect(page.locator(".report.on")).to_have_count(2, timeout=LONG)
    page.locator(".case").first.wait_for()
    assert len(parse_qs(urlsplit(page.url).query)["report"]) == 2
    page.get_by_role("link", name="Label these").click()
    page.locator(".begin").wait_for()


def test_so_many_cases_as_cannot_be_asked_are_told_in_the_dialog(visit: Any, asked: Served) -> None:
    page = visit("/evaluate?suite=rooms&run", base_url=asked.base_url)
    page.locator("#tells dl").wait_for()
    page.locator("#limit").fill("-3")
    sync_api.expect(page.locator("#asking-problem")).to_contain_text("a whole number of cases from 1 to 40")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#limit")).to_be_focused()
    assert page.locator("#asking[open]").count() == 1
    page.locator("#limit").fill("9999")
    sync_api.expect(page.locator("#asking-about")).to_contain_text("no more than 40 cases: all of them are asked")
    sync_api.expect(page.locator("#asking-problem")).to_have_text("")
    sync_api.expect(page.locator("#notice")).to_have_text("")


def test_the_reports_of_a_run_are_offered_to_who_reads_and_take_nothing_away(visit: Any, asked: Served) -> None:
    project = asked.project
    for app in ("main", "same", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app))
    read = [find(project.parts.engine, app).report.id[:12] for app in ("main", "same", "deaf")]
    query = "&".join(f"report={id_}" for id_ in read)
    page = visit(f"/evaluate?suite=rooms&slice=door&{query}", base_url=asked.base_url)
    sync_api.expect(page.locator("#cases-summary")).to_contain_text("20 cases of door")
    page.locator("#ask").click()
    page.locator("#tells dl").wait_for()
    page.locator("#limit").fill("7")
    page.get_by_role("button", name="Run", exact=True).click()
    offered = page.get_by_role("link", name="See it beside A")
    offered.wait_for(timeout=LONG)
    sync_api.expect(page.locator(".report.on")).to_have_count(3)
    sync_api.expect(page.locator("#cases-summary")).to_contain_text("20 cases of door")
    offered.click()
    sync_api.expect(page.locator(".report.on")).to_have_count(2)
    assert parse_qs(urlsplit(page.url).query)["report"][0] == read[0]


def test_a_run_of_another_suite_offers_nothing(visit: Any, asked: Served) -> None:
    engine, folder = asked.project.parts.engine, asked.project.config.root / "suites"
    for kind in ("toml", "jsonl"):
        text = (folder / f"rooms.{kind}").read_text(encoding="utf-8")
        (folder / f"halls.{kind}").write_text(text.replace("rooms.jsonl", "halls.jsonl"), encoding="utf-8")
    asked.project.evaluate(Wanted(suite="halls", app="main", limit=3))
    other = heads(engine, limit=1, suite="halls")[0].id
    wanted = {"suite": "halls", "app": "main", "model": "", "limit": 0, "repeat": 0}
    id_ = runs.create(engine, "evaluate", settings={"wanted": [wanted]}, config={})
    runs.change(engine, id_, state="running", started=1.0)
    page = visit("/evaluate?suite=rooms", base_url=asked.base_url)
    page.locator("#run .progress").wait_for()
    before = texts(page)
    runs.end(engine, id_, "done", result={"reports": [other]})
    sync_api.expect(page.locator("#run")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    assert texts(page) == before
    assert page.locator("#run a").filter(visible=True).count() == 0


def texts(page: Any) -> list[str]:
    page.locator(".case").first.wait_for()
    return [str(one) for one in page.locator(".report.on").all_inner_texts()]


def test_what_fewer_cases_show_is_not_overtaken_by_an_answer_of_before(visit: Any, asked: Served) -> None:
    page = visit("/evaluate?suite=rooms&run", base_url=asked.base_url)
    page.locator("#tells dl").wait_for()
    held: list[Any] = []
    page.route("**/suites/rooms?limit=10", lambda route: held.append(route))
    with page.expect_request("**/suites/rooms?limit=10"):
        page.locator("#limit").fill("10")
    page.locator("#limit").fill("20")
    sync_api.expect(page.locator("#asking-about")).to_contain_text("20 of 40 cases")
    with page.expect_response("**/suites/rooms?limit=10"):
        held[0].continue_()
    page.wait_for_timeout(100)
    assert "20 of 40 cases" in page.inner_text("#asking-about")


def test_a_run_that_was_begun_elsewhere_is_followed_after_a_reload(visit: Any, asked: Served) -> None:
    engine = asked.project.parts.engine
    wanted = {"suite": "rooms", "app": "main", "model": "", "limit": 0, "repeat": 0}
    id_ = runs.create(engine, "evaluate", settings={"wanted": [wanted]}, config={})
    now = {"target": "app main", "done": 10, "total": 40, "known": 4, "errors": 1, "rate": 2.0, "left": 15.0}
    runs.change(engine, id_, state="running", started=1.0, progress=now)
    page = visit("/evaluate", base_url=asked.base_url)
    facts = page.locator("#run .progress-facts")
    sync_api.expect(facts).to_contain_text("10 of 40 cases")
    for words in ("app main", "4 known", "1 failed", "2 a second", "about 15 s left"):
        assert words in facts.inner_text()
    for rate, left, told in ((0.03, 7.0, "1.8 a minute"), (123.4, 7.2, "123 a second"), (0.0004, 7.0, "1.4 an hour")):
        runs.change(engine, id_, progress={**now, "rate": rate, "left": left})
        sync_api.expect(facts).to_contain_text(told)
        assert "about 7 s left" in facts.inner_text()
    runs.end(engine, id_, "failed", error="the endpoint is gone")
    sync_api.expect(page.locator("#run")).to_contain_text("the endpoint is gone")


def test_the_gate_is_asked_its_pass_ends_and_it_is_asked_again(visit: Any, asked: Served, picture: Any) -> None:
    page = visit("/release", base_url=asked.base_url)
    page.locator("#who-asked").wait_for()
    page.select_option("#who-asked", "same")
    page.locator("#ask-gate").click()
    page.locator("#run .progress").wait_for()
    picture(page, "release-asked")
    same = page.locator(".candidate", has_text="app same")
    sync_api.expect(same).to_contain_text("may be released", timeout=LONG)
    assert same.get_by_role("button", name="Release", exact=True).count() == 1

    cases = asked.project.config.root / "suites" / "rooms.jsonl"
    before = cases.read_text(encoding="utf-8")
    more = {"question": "How many people does the cellar seat?", "references": ["none"]}
    cases.write_text(before + json.dumps(more) + "\n", encoding="utf-8")
    page.reload()
    sync_api.expect(same).to_contain_text("passed, but no longer")
    assert "It would be refused now: suite rooms" in same.inner_text()
    assert same.get_by_role("button", name="Release", exact=True).count() == 0
    same.scroll_into_view_if_needed()
    picture(page, "release-stale")
    same.get_by_role("button", name="Ask the gate again").click()
    sync_api.expect(same).to_contain_text("may be released", timeout=LONG)
    same.get_by_role("button", name="Release", exact=True).click()
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".now-variant")).to_have_text(asked.project.parts.variant("same").id[:8])
    page.goto("/runs")
    page.get_by_role("link", name="same before gate main").first.click()
    page.get_by_role("link", name="See the reports").wait_for()
    sync_api.expect(page.locator("#run")).to_contain_text("done: passed, by 41 of 41 cases")


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(visit: Any, asked: Served) -> None:
    page = visit("/evaluate", base_url=asked.base_url, bypass_csp=True)
    page.locator("#ask").click()
    page.locator("#tells dl").wait_for()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
