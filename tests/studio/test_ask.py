"""Asking in the browser: an answer that grows, its citations, an abstention, opinions, comparison, and the URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from awaiting import eventually
from serving import Served

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")

LEAVE = "How many days of leave does everybody have a year?"
CRANE = "How much does the crane lift?"
NOWHERE = "Who won the world cup of football in 1954?"


def ask(page: Any, question: str) -> None:
    page.fill("#question", question)
    page.keyboard.press("Enter")


def answered(page: Any, number: int = 1) -> None:
    page.locator(".answer-facts").nth(number - 1).wait_for()


def traces(served: Served) -> int:
    return len(served.project.traces(limit=1000))


def test_an_answer_grows_and_its_citation_opens_the_document_at_the_cited_words(visit: Any, picture: Any) -> None:
    page = visit("/ask?app=main")
    ask(page, LEAVE)
    page.wait_for_selector(".answer-draft:not(:empty)", state="attached")  # words are seen before they are checked
    answered(page)
    assert "thirty days" in page.inner_text(".answer-text")
    assert "tokens read" in page.inner_text(".answer-facts")
    assert page.get_attribute(".answer-facts a >> nth=1", "href").startswith("/traces/")
    page.click(".chip")
    page.wait_for_selector("#side mark")
    quote = page.inner_text(".cited blockquote")
    assert page.inner_text("#side mark") == quote == "Everybody has thirty days of leave a year."
    page.keyboard.press("Escape")
    assert page.is_hidden("#side")
    assert page.evaluate("document.activeElement.className") == "chip"  # the focus is where it was
    page.click(".chip")
    page.wait_for_selector("#side mark")
    picture(page, "citation")


def test_a_narrow_screen_follows_the_citation_to_the_document_at_the_span(visit: Any) -> None:
    page = visit("/ask?app=quote", width=390)
    ask(page, "On which channel do pilots speak?")
    answered(page)
    page.click(".chip")
    page.wait_for_selector("mark")
    assert urlsplit(page.url).path == "/documents/harbour.md"
    assert page.inner_text("mark") == "Pilots speak on channel 12."
    assert page.locator("mark").is_visible()


def test_what_the_documents_do_not_say_is_shown_as_such_with_the_nearest_passages(visit: Any) -> None:
    page = visit("/ask")
    ask(page, NOWHERE)
    answered(page)
    assert page.inner_text(".answer-status") == "Not in your documents"
    assert page.locator(".nearest li").count() == 3
    assert page.locator(".chip").count() == 0


def test_opinions_are_kept_and_the_same_thumb_twice_is_one(visit: Any, served: Served) -> None:
    page = visit("/ask?app=quote")
    ask(page, CRANE)
    answered(page)
    page.click("[aria-label='Good answer']")
    page.wait_for_selector("[aria-label='Good answer'][aria-pressed=true]")
    page.click("[aria-label='Good answer']")
    page.click(".wrong")
    page.wait_for_selector(".wrong[aria-pressed=true]")
    page.click("text=Correct the answer")
    page.fill("[name=correction]", "Eighty tonnes, with a new rope.")
    page.fill("[name=comment]", "the rope matters")
    page.click("text=Send the correction")
    page.wait_for_selector("text=Corrected, thank you")
    page.reload()
    page.wait_for_selector("[aria-label='Good answer'][aria-pressed=true]")
    given = served.project.feedback(trace=page.get_attribute(".answer-facts a >> nth=1", "href").split("/")[-1])
    assert sorted((one.thumb, one.correction, one.comment, one.wrong_citations) for one in given if one.thumb) == [
        ("up", "", "", ())
    ]
    assert [one.correction for one in given if one.correction] == ["Eighty tonnes, with a new rope."]
    assert [one.wrong_citations for one in given if one.wrong_citations] == [(1,)]
    assert len(given) == 3


def test_the_url_holds_the_conversation_and_a_reload_shows_it_without_asking_again(visit: Any, served: Served) -> None:
    page = visit("/ask?app=quote")
    ask(page, CRANE)
    answered(page)
    with page.expect_request("**/api/ask") as sent:
        ask(page, "When is its rope changed?")
    answered(page, 2)
    history = sent.value.post_data_json["history"]
    assert [turn["role"] for turn in history] == ["user", "assistant"]
    assert history[0]["content"] == CRANE
    assert "[1]" not in history[1]["content"]
    assert parse_qsl(urlsplit(page.url).query) == [("q", CRANE), ("q", "When is its rope changed?"), ("app", "quote")]
    before = traces(served)
    page.reload()
    answered(page, 2)
    assert traces(served) == before
    page.go_back()
    page.locator(".turn").nth(1).wait_for(state="detached")
    answered(page)
    assert page.title() == f"{CRANE} · Gatewheel"


def test_a_shared_link_asks_but_a_link_on_another_site_only_fills_in(visit: Any, served: Served) -> None:
    page = visit(f"/ask?app=quote&q={CRANE}")
    answered(page)
    before = traces(served)
    page = visit("/evaluate", base_url=served.base_url.replace("127.0.0.1", "localhost"))  # to a browser another site
    page.evaluate("url => { location.href = url }", f"{served.base_url}/ask?app=quote&q={CRANE}")
    page.wait_for_url(f"{served.base_url}/**")
    sync_api.expect(page.locator("#question")).to_have_value(CRANE)
    assert page.locator(".turn").count() == 0
    assert traces(served) == before


def test_two_apps_answer_the_same_question_side_by_side(visit: Any) -> None:
    page = visit("/ask?app=quote")
    page.select_option("#compare", "main")
    ask(page, CRANE)
    answered(page, 2)
    assert page.locator(".answer-app").all_inner_texts() == ["quote", "main"]
    assert parse_qsl(urlsplit(page.url).query) == [("q", CRANE), ("app", "quote"), ("compare", "main")]
    left, right = (page.locator(".answer").nth(n).bounding_box() for n in (0, 1))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]


def test_stop_ends_the_answer_here_and_in_the_engine(visit: Any, served: Served) -> None:
    page = visit("/ask?app=long")
    ask(page, "What does the clerk note in entry seven?")
    page.wait_for_selector(".answer-draft:not(:empty)", state="attached")
    page.click("#stop")
    page.wait_for_selector("text=Stopped.")
    assert page.is_visible("#send")
    eventually(lambda: served.service.line.served == 0)


def test_a_question_that_cannot_be_answered_says_why(visit: Any) -> None:
    page = visit("/ask?app=nobody", tolerate="404")
    ask(page, CRANE)
    page.wait_for_selector(".answer-status.problem")
    assert "nobody" in page.inner_text(".answer-status")
