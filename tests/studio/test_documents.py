"""Documents in the browser: the list, one document with its passages, adding files and reading again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from serving import Served

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
DROP = """([name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, { type: "text/markdown" }));
  const options = { dataTransfer: carried, bubbles: true, cancelable: true };
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("drop").dispatchEvent(new DragEvent(kind, options));
}"""


def test_the_list_shows_what_is_there_and_what_was_left_out_with_its_reason(visit: Any) -> None:
    page = visit("/documents")
    row = page.locator(".row", has_text="turbine.pdf")
    assert "Report on the turbine" in row.inner_text()
    assert "2 passages" in row.inner_text()
    assert "not a PDF that can be read" in page.locator("#errors .row", has_text="broken.pdf").inner_text()


def test_the_search_stands_in_the_url(visit: Any) -> None:
    page = visit("/documents")
    page.fill("#q", "leave")
    page.keyboard.press("Enter")
    page.wait_for_url("**/documents?q=leave")
    page.locator(".row").first.wait_for()
    assert page.locator(".documents .row-link").all_inner_texts() == ["Leave"]
    page.goto("/documents?q=nothing+of+the+kind")
    page.get_by_text("No document has that in its name or title").wait_for()


def test_a_span_is_marked_character_for_character_behind_characters_beyond_the_basic_plane(
    visit: Any, served: Served
) -> None:
    document = served.project.document("harbour.md")
    assert document is not None
    start = document.text.index("Der Lotse")
    page = visit(f"/documents/harbour.md?span={start}-{start + len('Der Lotse kommt')}")
    page.wait_for_selector("mark")
    assert page.locator("mark").all_inner_texts() == ["Der Lotse kommt"]
    whole = "".join(page.locator(".block-text").evaluate_all("all => all.map(one => one.textContent)"))
    assert whole.split() == document.text.split()  # nothing is lost and nothing stands there twice


def test_pages_and_headings_stand_beside_the_passages(visit: Any) -> None:
    page = visit("/documents/turbine.pdf")
    page.wait_for_selector(".block")
    assert page.locator(".block-page").all_inner_texts() == ["Page 1", "Page 2"]
    assert page.title() == "Report on the turbine · Gatewheel"


def test_a_long_document_is_drawn_around_the_span_and_grows_as_one_goes(visit: Any, served: Served) -> None:
    document = served.project.document("ledger.md")
    assert document is not None
    start = document.text.index("In entry 30 the clerk")
    page = visit(f"/documents/ledger.md?span={start}-{start + 21}")
    page.wait_for_selector("mark")
    assert page.inner_text("mark") == "In entry 30 the clerk"
    assert page.locator("mark").bounding_box()["y"] < 800  # in sight
    drawn = page.locator(".block").count()
    all_ = len(served.project.parts.passages(None).passages_of("ledger.md"))
    assert drawn < all_
    for _ in range(drawn):
        page.keyboard.press("j")
    assert page.locator(".block").count() > drawn
    at = urlsplit(page.url).query
    assert at.startswith("span=")
    assert at != f"span={start}-{start + 21}"  # a link to where one is
    page.keyboard.press("k")
    assert urlsplit(page.url).query < at or len(urlsplit(page.url).query) < len(at)
    page.mouse.wheel(0, -100_000)
    page.get_by_text("# Entry 0").wait_for()


def test_an_unknown_document_says_so(visit: Any) -> None:
    page = visit("/documents/nowhere.md", tolerate="404")
    page.get_by_text("no document 'nowhere.md'").wait_for()


def test_files_are_added_by_button_and_by_drop_and_removed_again(visit: Any, served: Served, tmp_path: Path) -> None:
    page = visit("/documents")
    file = tmp_path / "winch.md"
    file.write_text("# Winch\n\nThe winch is greased with lard.\n")
    page.set_input_files("#files", [file])
    page.locator("#run", has_text="done: 1 new").wait_for()  # live, from the events of the run
    page.locator(".row", has_text="uploads/winch.md").wait_for()
    page.evaluate(DROP, ["buoy.md", "# Buoy\n\nThe buoy is painted red.\n"])
    page.locator(".row", has_text="uploads/buoy.md").wait_for()
    assert served.project.document("uploads/winch.md")
    row = page.locator(".row", has_text="uploads/winch.md")
    row.get_by_role("button", name="Remove").click()
    row.get_by_role("button", name="for good").click()
    row.wait_for(state="detached")
    assert served.project.document("uploads/winch.md") is None


def test_a_file_that_cannot_be_taken_is_named_with_the_reason(visit: Any, tmp_path: Path) -> None:
    page = visit("/documents")
    file = tmp_path / "film.mp4"
    file.write_bytes(b"\0\0\0 ftypisom")
    page.set_input_files("#files", [file])
    page.locator("#refused", has_text="film.mp4").or_(page.locator("#errors", has_text="film.mp4")).wait_for()


def test_reading_again_shows_a_run_that_can_be_opened(visit: Any) -> None:
    page = visit("/documents")
    page.get_by_role("button", name="Read again").click()
    page.locator("#run", has_text="done: 0 new").wait_for()
    page.get_by_role("link", name="The run").click()
    page.get_by_role("heading", name="ingest").wait_for()
    assert page.locator(".facts", has_text="done").count() == 1
