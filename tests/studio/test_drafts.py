"""Drafts in the studio: read beside their document, accepted, edited and refused by single keys."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data import drafts, suites
from gatewheel.data.cases import identity
from gatewheel.kernel.nouns import Case
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
AXE = os.environ.get("GATEWHEEL_AXE", "")
TOML = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n[model.chat]\nuse = "llama.cpp"\nthreads = 1\n'
TEXT = "# Port\n\nThe master of Leith counts 42 ships. A ship pays four crowns. Pilots of Leith speak on channel 12.\n"
ASKED = {
    "How many ships does the master of Leith count?": "The master of Leith counts 42 ships.",
    "What does a ship pay?": "A ship pays four crowns.",
    "On which channel do the pilots of Leith speak?": "Pilots of Leith speak on channel 12.",
}


@pytest.fixture
def port(tmp_path: Any) -> Iterator[Served]:
    """A service with three drafts that wait for a suite that there is not yet."""
    home = tmp_path / "port"
    gw.init(home).close()
    (home / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    (home / "port.md").write_text(TEXT, encoding="utf-8")
    found = []
    for question, sentence in ASKED.items():
        at = TEXT.index(sentence)
        meta = {"passage": "p", "span": [at, at + len(sentence)]}
        case = Case(id="", question=question, references=(sentence,), sources=("port.md",), meta=meta)
        found.append(dataclasses.replace(case, id=identity(case)))
    case_files.write(drafts.path_of(home, "port-train"), found)
    project = gw.open(home)
    project.ingest()
    with running(project) as it:
        yield it


def test_drafts_are_judged_by_single_keys_beside_their_document(visit: Any, port: Served, picture: Any) -> None:
    page = visit("/improve", base_url=port.base_url)
    page.get_by_role("link", name="Read them").click()
    question, mark = page.locator(".asked"), page.locator("mark")
    asked = list(ASKED)
    sync_api.expect(question).to_have_text(asked[0])
    sync_api.expect(mark).to_have_text(ASKED[asked[0]])
    picture(page, "drafts")
    page.wait_for_timeout(200)
    page.keyboard.press("a")
    sync_api.expect(question).to_have_text(asked[1])
    sync_api.expect(mark).to_have_text(ASKED[asked[1]])
    page.keyboard.press("s")
    sync_api.expect(question).to_have_text(asked[2])
    page.keyboard.press("e")
    sync_api.expect(page.locator("#draft-question")).to_be_focused()
    page.keyboard.press("Escape")
    sync_api.expect(page.get_by_role("button", name="Edit")).to_be_focused()
    page.keyboard.press("e")
    page.locator("#draft-reference").fill(" ")
    page.wait_for_timeout(200)
    page.keyboard.press("Control+Enter")
    page.get_by_text("Write the right answer, or leave the draft as it is.").wait_for()
    sync_api.expect(page.locator("#draft-reference")).to_be_focused()
    page.locator("#draft-reference").fill("Channel 12, by radio.")
    page.wait_for_timeout(200)
    page.keyboard.press("Control+Enter")
    sync_api.expect(question).to_have_text(asked[1])
    page.wait_for_timeout(200)
    page.keyboard.press("r")
    page.get_by_text("Every draft is read").wait_for()
    page.keyboard.press("u")
    sync_api.expect(question).to_have_text(asked[1])
    sync_api.expect(question).to_be_focused()
    page.wait_for_timeout(200)
    page.keyboard.press("a")
    page.get_by_text("Every draft is read").wait_for()
    page.get_by_role("button", name="Undo").click()
    sync_api.expect(question).to_have_text(asked[1])
    assert len(suites.load(port.project.config.root, "port-train").cases) == 2
    page.wait_for_timeout(200)
    page.keyboard.press("r")
    page.get_by_text("Every draft is read").wait_for()
    sync_api.expect(page.get_by_role("link", name="Tune on them")).to_have_attribute("href", "/improve?data=port-train")
    suite = suites.load(port.project.config.root, "port-train")
    assert suite.split == "train"
    assert {case.references for case in suite.cases} == {(ASKED[asked[0]],), ("Channel 12, by radio.",)}


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(visit: Any, port: Served) -> None:
    page = visit("/improve/drafts?suite=port-train", base_url=port.base_url, bypass_csp=True)
    page.locator("mark").wait_for()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))

    def check(where: str) -> None:
        found = page.evaluate("axe.run()")["violations"]
        assert [(where, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []

    check("a draft")
    page.keyboard.press("e")
    page.locator("#draft-question").wait_for()
    check("edited")
    page.keyboard.press("Escape")
    for _ in ASKED:
        page.wait_for_timeout(200)
        page.keyboard.press("r")
        page.wait_for_timeout(200)
    page.get_by_text("Every draft is read").wait_for()
    check("all read")


def test_it_fits_a_narrow_screen_and_says_where_drafts_come_from(visit: Any, port: Served) -> None:
    page = visit("/improve/drafts?suite=port-train", base_url=port.base_url, width=360)
    page.locator("mark").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/improve/drafts?suite=other")
    page.get_by_text("No draft waits").wait_for()
    assert "gatewheel evals generate other" in page.inner_text("#more-told")
    page.locator("#count").fill("0")
    page.get_by_role("button", name="Draft them").click()
    page.get_by_text("Give a whole number from 1").wait_for()
