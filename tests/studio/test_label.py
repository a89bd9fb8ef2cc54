"""Label in the browser: blind, by single keys, kept at once, taken back, from several tabs; and what it comes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

import gatewheel as gw
import gating
from gatewheel.loop import labelling, reports
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import keys
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")
LIMIT = 6


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a project in which two applications answered six questions."""
    project = open_for_serving(gw.open(gating.make(tmp_path_factory.mktemp("judged") / "rooms")))
    for app in ("main", "deaf"):
        project.evaluate(Wanted(suite="rooms", app=app, limit=LIMIT))
    with running(project) as it:
        yield it


@pytest.fixture
def desk(visit: Any, judged: Served) -> Any:
    """Opens the sheet of a rater once its first item is there."""

    def open_page(rater: str, more: str = "", **options: Any) -> Any:
        page = visit(f"/label?{link(judged)}&rater={rater}{more}", base_url=judged.base_url, **options)
        page.locator(".item").wait_for()
        return page

    return open_page


def link(served: Served) -> str:
    ids = [reports.find(served.project.parts.engine, app).report.id[:12] for app in ("main", "deaf")]
    return "&".join(f"report={id_}" for id_ in ids)


def press(page: Any, key: str) -> None:
    """A key, as a person presses it who has seen the item."""
    page.wait_for_timeout(200)
    page.keyboard.press(key)


def question(page: Any) -> str:
    return str(page.inner_text(".asked"))


def given(served: Served, rater: str) -> list[str]:
    return [one.better for one in labelling.labels(served.project.parts.engine, "rooms", rater=rater)]


def far(page: Any, words: str) -> None:
    sync_api.expect(page.locator("#far")).to_contain_text(words)


def test_labelling_begins_with_a_choice_and_a_name(visit: Any, judged: Served, picture: Any) -> None:
    page = visit("/label", base_url=judged.base_url)
    page.locator(".begin").wait_for()
    assert page.locator("[name=report]:checked").count() == 2
    picture(page, "label-begin")
    page.locator("[name=report]").first.uncheck()
    sync_api.expect(page.locator(".begin p.problem")).to_have_text("Choose two to compare.")
    page.get_by_label("Grade each answer by a rubric").check()
    sync_api.expect(page.get_by_role("button", name="Begin")).to_be_enabled()
    page.locator("#rubric").fill("kind=1-3")
    page.locator("#rater").fill("Zoe")
    page.keyboard.press("Enter")
    page.locator(".grades").wait_for()
    query = parse_qs(urlsplit(page.url).query)
    assert (query["rater"], query["rubric"], len(query["report"])) == (["Zoe"], ["kind=1-3"], 1)


def test_a_name_of_blanks_is_told_at_the_field_which_keeps_the_focus(visit: Any, judged: Served) -> None:
    page = visit("/label", base_url=judged.base_url)
    page.locator("#rater").fill("   ")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#nameless")).to_contain_text("Say who you are")
    page.keyboard.type("/")
    assert page.locator("#rater").input_value().strip() == "/"
    page.keyboard.press("Control+a")
    page.keyboard.type("Yan")
    sync_api.expect(page.locator("#nameless")).to_have_text("")
    page.keyboard.press("Enter")
    page.locator(".item").wait_for()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("rubric=nonsense", "'nonsense' is no criterion"),
        ("report=zzzz", "no report 'zzzz'"),
        ("rater=" + "x" * 201, "200 characters at most"),
        ("same", "both said the same"),
    ],
)
def test_a_link_that_leads_nowhere_leaves_the_form_with_what_is_wrong(
    wrong: str, words: str, visit: Any, judged: Served
) -> None:
    both = [part.removeprefix("report=") for part in link(judged).split("&")]
    query = f"report={both[0]}&report={both[0]}" if wrong == "same" else f"{link(judged)}&{wrong}"
    if "zzzz" in wrong:
        query = f"report={both[0]}&{wrong}"
    page = visit(
        f"/label?{query}" + ("" if "rater" in wrong else "&rater=Ada"), base_url=judged.base_url, tolerate="40"
    )
    sync_api.expect(page.locator(".begin p.problem").first).to_contain_text(words)
    for box in page.locator("[name=report]").all():
        box.check()
    page.get_by_label("Say which of two is better").check()
    page.locator("#rater").fill("Ada")
    page.get_by_role("button", name="Begin").click()
    page.locator(".item").wait_for()


def test_a_person_labels_blind_by_keys_undoes_and_goes_on_after_a_reload(
    desk: Any, judged: Served, picture: Any
) -> None:
    page = desk("Ada")
    far(page, "0 of 6 labelled")
    shown = page.content()
    for name in ("app main", "deaf", judged.project.parts.variant("main").id[:8]):
        assert name not in shown
    picture(page, "label-item")
    first = question(page)
    press(page, "1")
    far(page, "1 of 6")
    assert question(page) != first
    assert page.evaluate("document.activeElement.className") == "asked"  # a screen reader reads on from there
    second = question(page)
    press(page, "ArrowRight")
    far(page, "2 of 6")
    press(page, "u")
    far(page, "1 of 6")
    assert question(page) == second
    press(page, "s")
    sync_api.expect(page.locator(".asked")).not_to_have_text(second)
    third = question(page)
    page.reload()
    page.locator(".item").wait_for()
    far(page, "1 of 6")
    assert question(page) == third, "where one was stands in the address"
    press(page, "0")
    far(page, "2 of 6")
    press(page, "u")  # what was given before the reload too
    far(page, "1 of 6")
    press(page, "u")
    far(page, "0 of 6")
    assert question(page) == first
    assert given(judged, "Ada") == []


def test_a_key_that_is_held_down_or_too_early_labels_one_at_most(desk: Any, judged: Served) -> None:
    page = desk("Bea")
    page.wait_for_timeout(200)
    page.evaluate(
        """() => { for (let n = 0; n < 20; n++) document.body.dispatchEvent(
        new KeyboardEvent('keydown', { key: '1', bubbles: true, repeat: n > 0 })); }"""
    )
    far(page, "1 of 6")
    page.locator("input[type=text]").first.fill("1 2 0 u s")  # letters in a field are no keys
    page.wait_for_timeout(300)
    assert len(given(judged, "Bea")) == 1


def test_what_is_being_corrected_stays_when_one_comes_back_from_a_source(desk: Any) -> None:
    page = desk("Cai")
    first, token = question(page), parse_qs(urlsplit(page.url).query)["item"][0]
    press(page, "1")
    far(page, "1 of 6")
    page = desk("Cai", f"&item={token}")
    assert question(page) == first
    why = page.locator(".why input")
    why.fill("the second was clearer")
    with page.expect_response("**/labels/sheet?*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(200)
    assert (question(page), why.input_value()) == (first, "the second was clearer")


def test_two_tabs_keep_one_label_of_each_and_skip_what_the_other_did(desk: Any, judged: Served) -> None:
    one, two = desk("Cleo"), desk("Cleo")
    assert question(one) == question(two)
    press(one, "1")
    far(one, "1 of 6")
    press(two, "2")
    far(two, "1 of 6")
    assert len(given(judged, "Cleo")) == 1
    press(one, "1")
    far(one, "2 of 6")
    two.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when one comes back to it
    far(two, "2 of 6")
    sync_api.expect(two.locator(".asked")).to_have_text(question(one))


def test_what_comes_of_it_is_shown_at_the_end_with_names(desk: Any, judged: Served, picture: Any) -> None:
    for rater in ("Dora", "Emil"):
        page = desk(rater)
        for number in range(1, LIMIT + 1):
            answers = page.locator(".spoken").all_inner_texts()
            right = 1 if "abstained" in answers[1] else 2
            press(page, "0" if rater == "Emil" and number == 1 else str(right))
            far(page, f"{number} of 6")
    page.get_by_text("All 6 are labelled").wait_for()
    assert "main" not in page.inner_text("#desk")
    picture(page, "label-finished")
    page.get_by_role("button", name="Show whose they are").click()
    page.locator(".forest").first.wait_for()
    told = page.inner_text("#results")
    assert "app main" in told
    assert "Dora\n6 to 0" in told
    assert "Emil\n5 to 0, 1 as good" in told
    assert "Krippendorff" in told
    picture(page, "label-results")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download preferences").click()
    assert download.value.suggested_filename == "preferences.jsonl"
    assert 0 < len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) <= LIMIT
    page.reload()
    page.locator(".forest").first.wait_for()


def test_a_rubric_takes_one_digit_a_line(desk: Any, judged: Served, picture: Any) -> None:
    page = desk("Fay", "&rubric=faithful=1-4,complete=1-4")
    far(page, "0 of 12")
    press(page, "3")
    assert page.locator(".grade.now").inner_text().startswith("complete")
    picture(page, "label-rubric")
    press(page, "9")  # no grade of this line
    press(page, "ArrowLeft")
    assert page.locator(".grade.now").inner_text().startswith("faithful")
    press(page, "4")
    press(page, "2")
    far(page, "1 of 12")
    [kept] = labelling.labels(judged.project.parts.engine, "rooms", rater="Fay")
    assert kept.scores == {"faithful": 4.0, "complete": 2.0}


def test_it_all_fits_a_narrow_screen_and_can_be_pressed(desk: Any, judged: Served) -> None:
    page = desk("Gil", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("input[type=text]").first.fill("plainer")
    page.wait_for_timeout(200)  # what is pressed sooner was meant for the item before
    page.get_by_role("button", name="2 is better").click()
    far(page, "1 of 6")
    [kept] = labelling.labels(judged.project.parts.engine, "rooms", rater="Gil")
    assert kept.comment == "plainer"
    page.get_by_role("button", name="Undo").click()
    far(page, "0 of 6")
    page.keyboard.press("?")
    assert "take back the last label" in page.inner_text("#keys-dialog")


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(desk: Any, visit: Any, judged: Served) -> None:
    begin = visit("/label", base_url=judged.base_url, bypass_csp=True)
    begin.locator(".begin").wait_for()
    pages = [begin, desk("Hans", bypass_csp=True), desk("Hans", "&rubric=good=1-4", bypass_csp=True)]
    results = visit(f"/label?{link(judged)}&rater=Dora&show=results", base_url=judged.base_url, bypass_csp=True)
    results.get_by_role("heading", name="Go on").wait_for()
    for page in [*pages, results]:
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == [], page.url


def test_who_may_only_label_needs_a_link_and_labels_by_the_name_of_the_key(
    visit: Any, judged: Served, browser: Any
) -> None:
    made = visit(f"/label?{link(judged)}&rater=Olga", base_url=judged.base_url)
    made.locator(".item").wait_for()  # an operator begins, and sends the address without the rater
    sent = made.url.replace("rater=Olga&", "")
    assert "seal=" in sent
    _, secret = keys.create(judged.project.parts.engine, name="Ina", scopes=("feedback",), groups=("*",))
    page = visit(
        f"/login?next={quote(sent.removeprefix(judged.base_url), safe='/')}",
        base_url=judged.base_url,
        tolerate="40",
    )
    page.fill("#key", secret)
    page.keyboard.press("Enter")
    page.locator(".item").wait_for()
    sync_api.expect(page.locator("#summary")).to_contain_text("labelled by Ina")
    press(page, "1")
    far(page, "1 of 6")
    assert len(given(judged, "Ina")) == 1
    page.goto("/label")
    page.get_by_text("Labelling begins with a link").wait_for()
