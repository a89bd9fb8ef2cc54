"""What people need of every page: keys, focus, narrow screens, both themes, a log-in, and pictures of it all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from gatewheel.ops import keys
from serving import Served, make_project, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
PAGES = {
    "wheel": "/",
    "ask": "/ask",
    "answer": "/ask?q=How+much+does+the+crane+lift%3F&app=quote",
    "abstention": "/ask?q=Who+painted+the+Mona+Lisa%3F",
    "compare": "/ask?q=How+much+does+the+crane+lift%3F&app=quote&compare=main",
    "documents": "/documents",
    "document": "/documents/ledger.md?span=3000-3060",
    "pages": "/documents/turbine.pdf",
    "traces": "/traces",
    "runs": "/runs",
    "evaluate": "/evaluate",
    "label": "/label",
    "improve": "/improve",
    "drafts": "/improve/drafts",
    "release": "/release",
    "login": "/login",
}

AXE = os.environ.get("GATEWHEEL_AXE", "")
OUTLINED = """() => {
  const it = document.activeElement;
  const style = getComputedStyle(it);
  return it === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
}"""


def settled(page: Any) -> None:
    page.locator("#theme-name", has_text="theme").wait_for(state="attached")  # the scripts have begun
    if "q=" in page.url:
        page.locator(".answer-facts").nth(1 if "compare=" in page.url else 0).wait_for()
    sync_api.expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=60_000)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_a_narrow_screen_and_has_a_title_and_one_heading(name: str, visit: Any, picture: Any) -> None:
    page = visit(PAGES[name], width=360)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.title().endswith(" · Gatewheel")
    assert page.locator("h1").count() == 1
    picture(page, name)


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(visit: Any) -> None:
    for path in PAGES.values():
        page = visit(path, bypass_csp=True)  # else axe itself could not be brought in
        settled(page)
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [(path, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_the_wheel_has_six_stations_with_counts_and_one_thing_to_do(visit: Any, served: Served) -> None:
    page = visit("/")
    settled(page)
    stations = page.locator("[data-station]")
    assert stations.evaluate_all("all => all.map(one => one.dataset.station)") == [
        "documents",
        "ask",
        "feedback",
        "evaluate",
        "improve",
        "release",
    ]
    documents = served.project.parts.store.totals()[0]
    assert page.locator("[data-station=documents] .dial-count").text_content() == str(documents)
    assert page.locator(".button.primary").count() == 1
    page.click("[data-station=improve]")
    page.get_by_role("heading", name="Improve", exact=True).wait_for()


def test_a_new_project_is_told_what_to_do_first(browser: Any, tmp_path: Path) -> None:
    gw.init(tmp_path / "empty").close()
    with running(gw.open(tmp_path / "empty")) as empty:
        page = browser.new_page(base_url=empty.base_url)
        page.goto("/")
        page.locator("#next").wait_for()
        assert page.get_attribute("#next", "href") == "/documents"
        page.click("#next")
        page.get_by_text("No documents yet").wait_for()
        page.context.close()


def test_everything_can_be_done_by_keyboard(visit: Any) -> None:
    page = visit("/documents")
    settled(page)
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") == "row-link"
    second = page.inner_text(":focus")
    page.keyboard.press("k")
    assert page.inner_text(":focus") != second
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("j?/k")  # in a field these are letters
    assert page.input_value("#q") == "j?/k"
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    assert page.locator("#keys-dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#keys-dialog").is_hidden()


def test_single_keys_can_be_turned_off(visit: Any) -> None:
    page = visit("/documents")
    settled(page)
    page.click("#keys")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.reload()
    settled(page)
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") != "row-link"


def test_the_focus_is_seen_on_every_kind_of_control(visit: Any) -> None:
    page = visit("/ask")
    settled(page)
    page.focus("body")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINED), page.evaluate("document.activeElement.outerHTML")


def test_the_theme_follows_the_system_until_one_chooses_and_the_choice_is_kept(visit: Any) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    page = visit("/documents", dark=True)
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert light != dark
    page.goto("/traces")
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme="light")
    page.click("#theme")
    assert page.evaluate(ground) == dark


def test_a_screen_reader_hears_the_answer(visit: Any) -> None:
    page = visit("/ask?app=quote")
    page.fill("#question", "How much does the crane lift?")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#said[role=status]")).to_contain_text("Answer: The crane lifts eighty tonnes")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A service that asks for a key, and a key that may only ask."""
    project = make_project(tmp_path_factory.mktemp("locked"))
    _, secret = keys.create(project.parts.engine, name="Ada", scopes=("ask",))
    with running(project) as it:
        yield it, secret


def test_a_key_is_asked_for_taken_and_given_back(visit: Any, locked: tuple[Served, str]) -> None:
    served, secret = locked
    page = visit("/ask?q=How+many+litres+does+the+kettle+hold%3F&app=quoting", base_url=served.base_url, tolerate="40")
    page.wait_for_url("**/login?next=*")
    page.fill("#key", "gw-wrong")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#problem")).to_contain_text("not known")
    page.fill("#key", secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/ask?q=*")  # where one wanted to go
    page.get_by_text("1.7 litres").first.wait_for()
    assert "Ada" in page.inner_text("#who")
    page.goto("/traces")
    page.get_by_text("needs a key with the scope 'operate'").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_login_leads_to_no_other_site(visit: Any, locked: tuple[Served, str]) -> None:
    served, secret = locked
    for path in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        page = visit(f"/login?next={path}", base_url=served.base_url)
        page.fill("#key", secret)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        assert page.url.startswith(served.base_url)


def test_the_wheel_tells_each_station_in_a_plain_sentence(visit: Any) -> None:
    page = visit("/")
    settled(page)
    first = page.locator("#stations dd").first
    sync_api.expect(first).to_have_text(re.compile(r"^\d+ passages ready(; \d+ files? left out)?$"))
    assert page.locator("#next").inner_text().strip()
