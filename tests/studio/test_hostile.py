"""Names, texts, questions and remarks that try to be markup: they are shown letter by letter and nothing runs.

The fixture `visit` fails on any dialog, exception or breach of the policy.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest

from serving import Served

HOSTILE = "<img src=x onerror=alert(1)>.md"
QUESTION = '"><svg onload=alert(5)> What is the keeper of the lighthouse called? <script>alert(6)</script>'
POLICY = "script-src 'self'"


def test_a_document_with_markup_in_its_name_and_text_is_shown_as_it_is(visit: Any) -> None:
    page = visit("/documents")
    row = page.locator(".row", has_text=HOSTILE)
    assert "<script>alert(2)</script>" in row.inner_text()
    row.locator("a").click()
    page.wait_for_selector(".block")
    assert "<svg onload=alert(3)>" in page.inner_text(".reader")
    assert page.locator("main img, main script, main svg[onload]").count() == 0


@pytest.mark.parametrize("app", ["main", "quote"])
def test_a_hostile_question_and_answer_are_text(visit: Any, app: str) -> None:
    page = visit(f"/ask?app={app}&q={quote(QUESTION)}")
    page.locator(".answer-facts").wait_for()
    assert page.inner_text(".turn-question") == QUESTION
    shown = page.inner_text(".answer")
    assert "Anselm" in shown
    assert page.locator("main img, main script, .turns svg, .turns b").count() == 0
    links = page.locator("main a").evaluate_all("all => all.map(one => one.href)")
    assert all(link.startswith(page.url.split("/ask")[0]) for link in links)
    assert any(unquote(link).find(HOSTILE) > 0 for link in links)


def test_hostile_traces_and_remarks_are_text(visit: Any, served: Served) -> None:
    answer = served.project.ask(QUESTION, app="quote")
    remark = "<img src=x onerror=alert(7)>"
    served.project.give_feedback(str(answer.trace), comment=remark, correction=f"<iframe srcdoc='{remark}'></iframe>")
    page = visit("/traces?q=lighthouse")
    page.locator(".row-link").first.click()
    page.get_by_text(remark).first.wait_for()
    assert page.inner_text("h1") == QUESTION
    assert page.locator("main img, main script, main iframe").count() == 0


def test_a_hostile_url_is_no_markup_either(visit: Any) -> None:
    bad = quote("<img src=x onerror=alert(8)>")
    for path in (f"/documents?q={bad}", f"/traces?q={bad}&variant={bad}&thumb=up", f"/documents/{HOSTILE}?span={bad}"):
        page = visit(path)
        page.wait_for_load_state("networkidle")
        assert page.locator("main img").count() == 0
    page = visit(f"/traces/{bad}", tolerate="404")
    page.locator("#notice .notice").wait_for()
    assert page.locator("main img").count() == 0


def test_the_policy_would_stop_what_slipped_through(visit: Any) -> None:
    page = visit("/", tolerate="Content Security Policy")
    page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.textContent = 'window.ran = true'; document.body.append(script) }"
    )
    assert page.evaluate("window.ran") is None
