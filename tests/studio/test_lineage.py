"""The page of lineage in a real browser: what it shows, its links, its keys, narrow and dark."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatewheel.data.cases import split_key
from gatewheel.data.origins import Origin, keep
from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Case, SpanRecord, Trace
from gatewheel.loop import freezing
from serving import Served

Visit = Callable[..., Any]
CASES = [Case(id=f"c{n}", question=f"What is noted in entry {n}?", references=(f"{n} barrels",)) for n in range(12)]


@pytest.fixture(scope="module")
def asked(served: Served) -> str:
    """An answer that read the harbour, and a frozen version of which a case is of its feedback's document."""
    parts = served.project.parts
    passage = parts.passages(None).passages_of("harbour.md")[0].id
    shown = {trace.DOCUMENTS: [{"id": passage, "score": 1.0}]}
    made = Trace(
        id="5" * 32,
        created=time.time(),
        kind="ask",
        question="What does a ship pay?",
        answer="Four crowns.",
        abstained=False,
        variant=parts.keep_variant("main").id,
        seconds=1.0,
        input_tokens=1,
        output_tokens=1,
        spans=(SpanRecord(name="retrieve", start=0, seconds=0, attributes=shown),),
    )
    trace.keep(parts.engine, made)
    keep(parts.engine, [Origin(case=split_key(one), kind="trace", ref=made.id) for one in CASES])
    freezing.datasets.freeze(parts.engine, parts.objects, "ledger", CASES)
    return made.id


def test_a_document_leads_to_the_answers_that_read_it(visit: Visit, asked: str) -> None:
    page = visit("/lineage/harbour.md")
    page.wait_for_selector("#lineage h1:has-text('Harbour')")
    assert page.locator("#lineage h2").all_inner_texts() == ["Made of", "What came of it"]
    link = page.locator("a", has_text="What does a ship pay?")
    assert link.get_attribute("href") == f"/traces/{asked}"
    assert "and 7 cases more" in page.locator("#lineage").inner_text()
    page.locator("a", has_text="List more").first.click()
    page.wait_for_url("**most=200")
    page.wait_for_selector("a:has-text('List more')", state="detached")


def test_the_tree_is_walked_with_keys(visit: Visit, asked: str) -> None:
    page = visit(f"/lineage/{asked}")
    page.wait_for_selector("#lineage details")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.locator("summary.branch").last.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("details").last.get_attribute("open") is None
    page.keyboard.press("ArrowRight")
    assert page.locator("details").last.get_attribute("open") is not None


def test_what_is_not_there_says_so(visit: Visit, asked: str) -> None:
    page = visit("/lineage/harbor.md", tolerate="404")
    page.wait_for_selector("#notice:has-text('nothing here is called')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_narrow_window(visit: Visit, asked: str, picture: Callable[[Any, str], None], dark: bool) -> None:
    page = visit("/lineage/harbour.md", width=390, dark=dark)
    page.wait_for_selector("#lineage details")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if not dark:
        picture(page, "lineage")
