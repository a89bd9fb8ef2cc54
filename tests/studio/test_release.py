"""Release in the browser: what answers, candidates with the reasons of their gates, the history, and the way back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
import gating
from gatewheel.loop.gating import decide
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import releases
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")


@pytest.fixture
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service in which the deaf application is released, and both others stand before the gate."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("judged") / "rooms")))
    deaf = project.parts.keep_variant("deaf").id
    releases.promote(project.parts.engine, "main", deaf, gates={}, override="the first one", author="ada")
    decide(project.parts, "main", author="ada")
    releases.propose(project.parts.engine, "main", project.parts.keep_variant("same").id, text="try it", author="ada")
    with running(project) as it:
        yield it


def opened(visit: Any, served: Served, path: str = "/release", **options: Any) -> Any:
    page = visit(path, base_url=served.base_url, **options)
    sync_api.expect(page.locator("[aria-busy=true]")).to_have_count(0)
    return page


def test_a_candidate_is_released_by_its_gate_and_rolled_back(visit: Any, harbour: Served, picture: Any) -> None:
    engine = harbour.project.parts.engine
    deaf, main = (harbour.project.parts.variant(name).id for name in ("deaf", "main"))
    page = opened(visit, harbour)
    assert deaf[:8] in page.inner_text(".now-variant")
    first = page.locator(".candidate", has_text=main[:8])
    assert "may be released" in first.inner_text()
    assert "inclusion: 0 → 0.925" in first.locator(".reasons").inner_text()
    same = page.locator(".candidate", has_text="app same")
    assert "try it" in same.inner_text()
    assert "Not judged yet" in same.inner_text()
    picture(page, "release-candidates")

    first.get_by_role("button", name="Release").click()
    assert "1 gate let it pass" in page.inner_text("#sure")
    picture(page, "release-sure")
    page.keyboard.press("Enter")  # the focus is on the button that leaves everything as it is
    assert releases.current(engine, "main") == deaf
    first.get_by_role("button", name="Release").click()
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".now-variant")).to_have_text(main[:8])
    assert releases.current(engine, "main") == main
    assert page.locator(".event").count() == 4

    page.get_by_role("button", name="Roll back").click()
    assert f"From {main[:8]} to variant {deaf[:8]}" in page.inner_text("#sure-text")
    page.fill("#why", "it is too chatty")
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".now-variant")).to_have_text(deaf[:8])
    assert "it is too chatty" in page.locator(".event").first.inner_text()
    assert releases.current(engine, "main") == deaf
    left = page.locator(".candidate", has_text=main[:8])  # what its gate said was said before
    assert "was rolled back" in left.inner_text()
    assert left.get_by_role("button", name="Release past the gate").count() == 1
    picture(page, "release-history")


def test_a_reason_wraps_however_long_its_words_and_blanks_are_none(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour)
    same = page.locator(".candidate", has_text="app same")
    same.get_by_role("button", name="Release past the gate").click()
    page.fill("#why", "   ")
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator("#sure-problem")).to_contain_text("Say why")
    sync_api.expect(page.locator("#why")).to_be_focused()
    page.fill("#why", "w" * 240)
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".now")).to_contain_text("past the gate: www")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Roll back").click()
    page.fill("#why", "b" * 240)
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".now")).to_contain_text("rolled back: bbb")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_pass_is_checked_while_the_page_is_there_already(visit: Any, harbour: Served) -> None:
    may = threading.Event()

    def hold(route: Any) -> None:
        route.fulfill(json={"checked": False, "candidates": []}) if not may.is_set() else route.fallback()

    page = visit("/release", base_url=harbour.base_url, before=lambda page: page.route("**/refused", hold))
    sync_api.expect(page.get_by_text("passed, checking")).to_be_visible()
    sync_api.expect(page.get_by_role("button", name="Release", exact=True)).to_be_disabled()
    assert page.get_by_role("button", name="Roll back").is_enabled()
    may.set()
    sync_api.expect(page.get_by_text("may be released")).to_be_visible()
    sync_api.expect(page.get_by_role("button", name="Release", exact=True)).to_be_enabled()


def test_past_the_gate_takes_a_reason(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour)
    page.locator(".candidate", has_text="app same").get_by_role("button", name="Release past the gate").click()
    page.locator("#sure-yes").click()
    assert page.locator("#sure").is_visible()
    page.fill("#why", "the boss wants it")
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator(".event").first).to_contain_text("past the gate: the boss wants it")
    same = harbour.project.parts.variant("same").id
    assert releases.current(harbour.project.parts.engine, "main") == same


def test_a_change_by_somebody_else_is_not_undone_unseen(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour, tolerate="409")
    page.get_by_role("button", name="Roll back").click()
    same = harbour.project.parts.variant("same").id
    releases.promote(harbour.project.parts.engine, "main", same, gates={}, override="meanwhile")
    page.locator("#sure-yes").click()
    sync_api.expect(page.locator("#sure-problem")).to_contain_text("another release by now")
    assert releases.current(harbour.project.parts.engine, "main") == same
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "back"


def test_the_application_stands_in_the_url(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour)
    page.select_option("#app", "deaf")
    page.wait_for_url("**/release?app=deaf")
    page.get_by_text("Nothing is released").wait_for()
    page.get_by_text("There is no gate for this application yet").wait_for()
    assert page.locator(".event").count() == 0


def test_the_reasons_of_a_decision_lead_to_both_reports(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour, width=360)
    page.locator(".event .decision summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="See both reports").first.click()
    page.locator(".case").first.wait_for()
    assert [text.split()[2] for text in page.locator(".report.on").all_inner_texts()] == ["main", "main"]
    assert "better" in page.locator(".measure-difference").first.inner_text()


def test_the_wheel_leads_to_both_pages_with_live_counts(visit: Any, harbour: Served, picture: Any) -> None:
    page = opened(visit, harbour, "/")
    assert page.locator("[data-station=evaluate] .dial-count").text_content() == "2"
    deaf = harbour.project.parts.variant("deaf").id
    sync_api.expect(page.locator("#stations")).to_contain_text(f"{deaf[:8]} is released")
    picture(page, "wheel-released")
    page.click("[data-station=release]")
    page.locator(".now-variant").wait_for()


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(visit: Any, harbour: Served) -> None:
    page = opened(visit, harbour, bypass_csp=True)  # else axe itself could not be brought in
    page.locator(".event .decision summary").first.click()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    for step in ("page", "dialog"):
        if step == "dialog":
            page.get_by_role("button", name="Roll back").click()
        found = page.evaluate("axe.run()")["violations"]
        assert [(step, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
