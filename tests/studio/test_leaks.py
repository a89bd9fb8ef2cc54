"""Evaluate in the browser tells what leaked: a line, the figures without it, and which cases they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import gatewheel as gw
import gating
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
WORDS_ONLY = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n'


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with reports of two applications on a suite of which two cases were trained on."""
    folder = gating.make(tmp_path_factory.mktemp("leaking") / "rooms", more=WORDS_ONLY)
    toml, cases = folder / "suites" / "rooms.toml", folder / "suites" / "rooms.jsonl"
    toml.write_text(f'{toml.read_text(encoding="utf-8")}trained_on = ["web.csv"]\n', encoding="utf-8")
    asked = [json.loads(line)["question"] for line in cases.read_text(encoding="utf-8").splitlines()[:2]]
    (folder / "suites" / "web.csv").write_text("question\n" + "".join(f"{one}\n" for one in asked), encoding="utf-8")
    project = open_for_serving(gw.open(folder))
    for app in ("main", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app))
    with running(project) as it:
        yield it


def test_a_line_says_what_leaked_and_the_figures_without_stand_below(visit: Any, leaking: Served, picture: Any) -> None:
    page = visit("/evaluate", base_url=leaking.base_url)
    page.locator("#leaks table").wait_for()
    told = page.locator("#leaks").inner_text()
    assert "2 cases are in the training data too (web.csv)" in told
    assert "by words alone" in told
    rows = page.locator("#leaks tbody tr")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["inclusion", "abstention"]
    assert "(n=38)" in rows.first.inner_text()
    assert "worse" in rows.first.inner_text()
    page.locator("#leaks summary").click()
    assert "amber" in page.locator("#leaks li").first.inner_text()
    picture(page, "evaluate-leaks")


def test_under_other_figures_the_leaks_of_before_do_not_stay(visit: Any, leaking: Served) -> None:
    page = visit("/evaluate", base_url=leaking.base_url)
    page.locator("#leaks th", has_text="−").wait_for()  # of two reports, the difference
    held: list[Any] = []
    page.route("**/api/evals/leaks?*", lambda route: held.append(route))
    page.locator("a.report.on").first.click()
    sync_api.expect(page.locator(".report.on")).to_have_count(1)
    sync_api.expect(page.locator("#leaks")).to_be_hidden()
    held[0].continue_()
    page.locator("#leaks table").wait_for()
    assert page.locator("#leaks th", has_text="−").count() == 0
    assert page.get_by_role("region", name="Leaks").get_attribute("tabindex") == "0"


def test_where_nothing_leaked_nothing_is_said(visit: Any, leaking: Served) -> None:
    web = leaking.project.config.root / "suites" / "web.csv"
    before = web.read_bytes()
    web.write_text("question\nSomething else?\n", encoding="utf-8")
    try:
        page = visit("/evaluate", base_url=leaking.base_url)
        page.locator(".case").first.wait_for()
        assert page.locator("#leaks").inner_text() == ""
    finally:
        web.write_bytes(before)
