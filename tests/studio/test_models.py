"""Models in the browser: the plot, the table, every choice in the URL; and pages that stand alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import gatewheel as gw
import gating
from examinee import examinee
from gatewheel.cli.main import run
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")
HOSTILE = "</text><img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with reports of three applications and of a model with a price and a name that tries to be markup."""
    with examinee(lambda question: f"{HOSTILE} 4711" if "door" in question else "5 people") as endpoint:
        model = f'use = "openai"\nmodel = "{HOSTILE}"\nbase_url = "{endpoint.url}"\nmax_retries = 0\nparallel = 2\n'
        more = f"\n[model.dear]\n{model}input_price = 100.0\noutput_price = 300.0\n"
        folder = gating.make(tmp_path_factory.mktemp("judged") / "rooms", more=more)
        project = open_for_serving(gw.open(folder))
        for app in ("same", "main", "deaf"):
            project.evaluate(Wanted(suite="rooms", app=app))
        project.evaluate(Wanted(suite="rooms", model="dear"))
        with running(project) as it:
            yield it


@pytest.fixture
def look(visit: Any, judged: Served) -> Any:
    """Opens a page of that service once it has drawn its table."""

    def open_page(path: str = "/models", **options: Any) -> Any:
        page = visit(path, base_url=judged.base_url, **options)
        page.locator(".candidates tbody tr").first.wait_for()
        return page

    return open_page


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_candidates_stand_in_a_plot_and_a_table_the_front_first_of_all(look: Any, picture: Any) -> None:
    page = look()
    rows = page.locator(".candidates tbody tr")
    assert rows.count() == 4
    assert "★" in rows.nth(0).inner_text()
    assert "93% [80, 97]" in rows.nth(0).inner_text()
    assert "worse" in rows.nth(3).inner_text()
    plot = page.locator(".plot-wide svg")
    sync_api.expect(plot).to_have_attribute("role", "img")
    assert plot.locator("circle").count() == 4
    sync_api.expect(page.locator("#summary")).to_contain_text("nothing surely beats")
    picture(page, "models")


def test_a_name_that_tries_to_be_markup_is_text(look: Any) -> None:
    page = look()
    assert HOSTILE in page.locator(".candidates").inner_text()
    assert page.locator("main img, main script").count() == 0


def test_every_choice_stands_in_the_url_and_the_way_back_leads_back(look: Any) -> None:
    page = look()
    page.locator("#cost").select_option("seconds")
    sync_api.expect(page.locator("#summary")).to_contain_text("by inclusion and seconds")
    page.locator("#metric").select_option("abstention")
    sync_api.expect(page.locator("#summary")).to_contain_text("by abstention and seconds")
    page.get_by_role("checkbox", name="Equal within 2%").check()
    sync_api.expect(page.locator("figcaption")).to_contain_text("within 2% of the range count as equal")
    assert query(page) == {"metric": ["abstention"], "cost": ["seconds"], "margin": ["0.02"]}
    page.reload()
    sync_api.expect(page.locator("#summary")).to_contain_text("by abstention and seconds")
    assert page.get_by_role("checkbox", name="Equal within 2%").is_checked()
    page.go_back()
    sync_api.expect(page.locator("figcaption")).to_contain_text("A difference that might be none beats nobody")
    assert not page.get_by_role("checkbox", name="Equal within 2%").is_checked()


def test_the_keyboard_goes_through_the_candidates_to_their_reports(look: Any) -> None:
    page = look()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.inner_text(":focus") == page.locator(".candidates tbody a").nth(1).inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/evaluate?*")
    page.locator(".measure").first.wait_for()


def test_what_is_not_known_says_why_to_those_who_do_not_see_too(look: Any) -> None:
    page = look()
    assert (
        "it runs elsewhere" in page.locator(".candidates").inner_text() or page.get_by_text("it runs elsewhere").count()
    )
    sync_api.expect(page.locator("#notes")).to_contain_text("memory of")
    sync_api.expect(page.locator("#licences")).to_contain_text("passing it on: no")


def test_it_all_fits_a_narrow_screen_which_has_a_plot_of_its_own(look: Any) -> None:
    page = look(width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(".plot-narrow svg").is_visible()
    assert not page.locator(".plot-wide svg").is_visible()


def test_a_suite_that_nobody_knows_is_told(visit: Any, judged: Served) -> None:
    page = visit("/models?suite=nothing", base_url=judged.base_url, tolerate="404")
    page.locator("main").get_by_text("no suite and no report of the name 'nothing'").wait_for()


@pytest.mark.parametrize(
    ("wrong", "field"), [("suite=nope", "suite"), ("metric=nope", "metric"), ("cost=nope", "cost")]
)
def test_a_link_with_a_mistake_leaves_the_lists_to_choose_from(
    wrong: str, field: str, visit: Any, judged: Served
) -> None:
    page = visit(f"/models?{wrong}", base_url=judged.base_url, tolerate="40")
    page.get_by_role("heading", name="There is nothing to show").wait_for()
    assert page.locator(f"#{field}").input_value() == ""
    page.locator(f"#{field}").select_option(index=0)
    page.locator(".candidates tbody tr").first.wait_for()


def test_a_report_of_some_cases_stands_last_and_is_marked(
    visit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = open_for_serving(gw.open(gating.make(tmp_path / "rooms")))
    project.evaluate(Wanted(suite="rooms", app="deaf"))
    project.evaluate(Wanted(suite="rooms", app="main", limit=12))
    with running(project) as served:
        page = visit("/models", base_url=served.base_url)
        rows = page.locator(".candidates tbody tr")
        rows.first.wait_for()
        assert "the best" in rows.nth(0).inner_text()
        assert "app deaf" in rows.nth(0).inner_text()
        assert "only 12 of 40 cases" in rows.nth(1).inner_text()
        path = tmp_path / "models.html"
        assert run(["-C", str(project.config.root), "evals", "models", "rooms", "--html", str(path)]) == 0
    assert "only 12 of 40 cases" in path.read_text(encoding="utf-8")
    capsys.readouterr()


def test_a_project_without_a_suite_says_what_to_do(visit: Any) -> None:
    page = visit("/models")
    page.get_by_role("heading", name="No suite yet").wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_exported_pages_load_nothing_run_nothing_and_fit(
    dark: bool, visit: Any, judged: Served, tmp_path: Path, picture: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(judged.project.config.root)
    both = tmp_path / "both.html", tmp_path / "models.html"
    assert run(["-C", folder, "evals", "report", "main", "dear", "--html", str(both[0])]) == 0
    assert run(["-C", folder, "evals", "models", "rooms", "--html", str(both[1])]) == 0
    for path in both:
        page = visit(path.as_uri(), dark=dark)
        assert page.evaluate("performance.getEntriesByType('resource').length") == 0
        assert page.locator("svg:visible").count() >= 1
        assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"  # its policy lets its style in
        assert page.locator("img, script").count() == 0
        assert HOSTILE in page.evaluate("document.body.textContent")
        if not dark:
            picture(page, f"paper-{path.stem}")
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    capsys.readouterr()


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(dark: bool, look: Any) -> None:
    page = look(bypass_csp=True, dark=dark)  # else axe itself could not be brought in
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
