"""Evaluate in the browser: chips, figures with intervals, interleaved cases, what differs, every choice in the URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import gatewheel as gw
import gating
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a project with three reports: of an application, of one that is deaf, of one like the first."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("judged") / "rooms")))
    for app in ("same", "main", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app))
    with running(project) as it:
        yield it


@pytest.fixture
def look(visit: Any, judged: Served) -> Any:
    """Opens a page of that service once it has drawn its cases."""

    def open_page(path: str, **options: Any) -> Any:
        page = visit(path, base_url=judged.base_url, **options)
        page.locator(".case").first.wait_for()
        return page

    return open_page


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def texts(page: Any, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_inner_texts()]


def test_the_newest_two_variants_are_side_by_side_with_figures_and_a_verdict(look: Any, picture: Any) -> None:
    page = look("/evaluate")
    assert [one.split()[:3] for one in texts(page, ".report.on")] == [["A", "app", "main"], ["B", "app", "deaf"]]
    first = page.locator(".measure").first
    assert "inclusion" in first.inner_text()
    assert texts(first, ".measure-figure")[0].startswith("93% [80, 97] (n=40)")
    told = first.locator(".measure-difference").inner_text()
    assert "B − A −93 points" in told
    assert "worse" in told
    picture(page, "evaluate-compare")


def test_answers_are_interleaved_and_one_press_shows_what_differs(look: Any, picture: Any) -> None:
    page = look("/evaluate")
    case = page.locator(".case").first
    assert texts(case, ".side .letter") == ["A", "B"]
    assert texts(case, ".side-score") == ["100%", "0%"]
    assert case.locator("ins, del, .expected").count() == 0
    case.get_by_role("button").click()
    sync_api.expect(case.get_by_role("button")).to_have_attribute("aria-expanded", "true")
    assert "4711" in case.locator(".expected").inner_text()
    assert "4711" in "".join(texts(case, "del"))
    assert case.locator("ins").count()
    assert "abstention" in case.locator(".numbers").first.inner_text()
    assert len(query(page)["case"]) == 1
    case.scroll_into_view_if_needed()
    picture(page, "evaluate-case")
    page.reload()
    sync_api.expect(page.locator(".case").first.get_by_role("button")).to_have_attribute("aria-expanded", "true")


def test_every_choice_stands_in_the_url_and_the_way_back_leads_back(look: Any) -> None:
    page = look("/evaluate")
    page.get_by_role("link", name="app same").click()
    sync_api.expect(page.locator(".report.on")).to_have_count(3)
    assert len(query(page)["report"]) == 3
    assert "same" in page.evaluate("document.activeElement.textContent")  # who uses the keyboard stays where they were
    page.get_by_role("link", name="abstention").click()
    page.get_by_role("link", name="door", exact=True).click()
    sync_api.expect(page.locator("#cases-summary")).to_contain_text("20 cases of door")
    page.get_by_role("link", name="Where they differ").click()
    sync_api.expect(page.locator("#cases-summary")).to_contain_text("where abstention differs")
    assert query(page).keys() == {"report", "metric", "slice", "show"}
    page.goto(page.url)
    sync_api.expect(page.locator("#cases-summary")).to_contain_text("20 cases of door, where abstention differs")
    assert page.locator(".measure.on h3").inner_text().startswith("abstention")
    page.go_back()
    sync_api.expect(page.locator("#cases-summary")).to_have_text("20 cases of door · all slices")
    page.get_by_role("link", name="app deaf").click()
    sync_api.expect(page.locator(".report.on")).to_have_count(2)


def test_it_all_fits_a_narrow_screen(look: Any) -> None:
    page = look("/evaluate?slice=door", width=360)
    page.locator(".case-question").first.click()
    page.locator(".numbers").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_one_report_alone_has_figures_and_no_differences(look: Any) -> None:
    page = look("/evaluate")
    page.get_by_role("link", name="app deaf").click()
    sync_api.expect(page.locator(".report.on")).to_have_count(1)
    sync_api.expect(page.locator(".measure-difference")).to_have_count(0)
    sync_api.expect(page.get_by_role("link", name="Where they differ")).to_have_count(0)


def test_the_keyboard_goes_through_the_cases_and_pages(look: Any) -> None:
    page = look("/evaluate")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.inner_text(":focus")
    assert second == texts(page, ".case-question")[1]
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(":focus")).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Next").click()
    page.get_by_text("Page 2 of 2").wait_for()
    assert second not in texts(page, ".case-question")


def test_a_report_of_another_suite_or_none_is_told(visit: Any, judged: Served) -> None:
    page = visit("/evaluate?report=abcdef", base_url=judged.base_url, tolerate="404")
    page.get_by_text("no report 'abcdef'").wait_for()


def test_a_suite_that_nobody_knows_leaves_the_list_to_choose_from(visit: Any, judged: Served) -> None:
    page = visit("/evaluate?suite=nope", base_url=judged.base_url)
    page.get_by_role("heading", name="There is no suite nope").wait_for()
    assert page.locator("#suite").input_value() == ""
    assert page.get_by_role("button", name="Run the suite").filter(visible=True).count() == 0
    page.locator("#suite").select_option("rooms")
    page.locator(".case").first.wait_for()


def test_a_report_brings_its_suite_along_and_an_empty_one_is_none(look: Any) -> None:
    page = look("/evaluate")
    id_ = query_of_first(page)
    page = look(f"/evaluate?suite=other&report={id_}")
    assert page.locator("#suite").input_value() == "rooms"
    page = look("/evaluate?report=")
    assert texts(page, ".report .letter").count("A") == 1


def query_of_first(page: Any) -> str:
    title = page.locator(".report.on").first.get_attribute("title")
    return str(title).rpartition(" ")[2]


def test_a_press_anywhere_on_a_case_opens_it_but_not_one_that_selects(look: Any) -> None:
    page = look("/evaluate")
    case, question = page.locator(".case").first, page.locator(".case-question").first
    case.locator(".side-answer").first.dblclick()  # selects a word; the first of its presses opens
    sync_api.expect(question).to_have_attribute("aria-expanded", "true")
    case.locator(".side-answer").first.click()
    sync_api.expect(question).to_have_attribute("aria-expanded", "true")
    question.click()
    sync_api.expect(question).to_have_attribute("aria-expanded", "false")
    box = page.locator(".case").nth(1).locator(".side-answer").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 8, steps=4)
    page.mouse.up()
    sync_api.expect(page.locator(".case-question").nth(1)).to_have_attribute("aria-expanded", "false")


def test_words_that_differ_are_found(visit: Any, judged: Served) -> None:
    page = visit("/evaluate", base_url=judged.base_url)
    page.locator(".case").first.wait_for()
    url = page.locator("link[rel=stylesheet]").first.get_attribute("href").rpartition("/")[0] + "/difference.js"
    found = page.evaluate(
        "async ([url, a, b]) => (await import(url)).words(a, b)", [url, "the gate is shut", "the old gate was shut"]
    )
    assert "".join(text for kind, text in found if kind != "came") == "the gate is shut"
    assert "".join(text for kind, text in found if kind != "went") == "the old gate was shut"
    assert [text for kind, text in found if kind == "went"] == ["is"]


def test_a_key_that_is_limited_to_groups_sees_figures_but_no_case(
    visit: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("closed") / "rooms")))
    project.evaluate(Wanted(suite="rooms", limit=4))
    _, secret = keys.create(project.parts.engine, name="Ada", scopes=("operate",), groups=("hr",))
    with running(project) as served:
        page = visit("/login?next=/evaluate", base_url=served.base_url, tolerate="40")
        page.fill("#key", secret)
        page.keyboard.press("Enter")
        page.locator(".measure").first.wait_for()
        sync_api.expect(page.locator("#cases-summary")).to_contain_text("need a key of the group '*'")
        assert "code of the door" not in page.content()


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_where_there_is_much_to_see(dark: bool, look: Any) -> None:
    page = look("/evaluate", bypass_csp=True, dark=dark)  # else axe itself could not be brought in
    page.get_by_role("link", name="app same").click()
    sync_api.expect(page.locator(".report.on")).to_have_count(3)
    page.locator(".case-question").first.click()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
