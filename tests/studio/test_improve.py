"""The page Improve: data is chosen, a tuning foreseen, begun, watched and kept; every choice stands in the address."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import gatewheel as gw
from gatewheel.kernel import runs
from gatewheel.loop.ending import KEEP
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.serving import open_for_serving
from letters import THINGS, written
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")
pytest.importorskip("torch", reason="the extra train is not installed")
AXE = os.environ.get("GATEWHEEL_AXE", "")
LONG = 120_000  # milliseconds: a worker starts, and the machine may be busy
ASKED = {"data": "letters-train", "table": "lora", "app": "main", "base": "", "changes": {"rank": 2}}

TUNED = {
    "loss": 1.0,
    "validation": [4.0, 1.0, 1.0],
    "steps": 8,
    "best_step": 8,
    "kept": 2,
    "stopped": "done",
    "advice": "",
}


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a project in which nothing was tuned yet; one case for training is near to a held-out one."""
    home = written(tmp_path_factory.mktemp("improving") / "letters")
    near = {"question": f"When does the {THINGS[6]} come?", "references": ["delivery"]}
    with (home / "suites" / "letters-train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(near) + "\n")
    with running(open_for_serving(gw.open(home))) as it:
        yield it


def at_work(served: Served, losses: list[float]) -> tuple[str, Notebook]:
    """A tuning in the middle of its work, by rows alone."""
    parts = served.project.parts
    id_ = runs.create(parts.engine, "finetune", settings=ASKED, config={})
    notes = Notebook(parts.config.state, id_, "points")
    for place, loss in enumerate(losses):
        say(notes, place * 10, loss)
    now = {"target": "lora of main, learning", "done": 10, "total": 40, "known": 0, "errors": 0, "rate": 64.0}
    runs.change(parts.engine, id_, state="running", started=1.0, progress={**now, "left": 65.0, **phase(10)})
    return id_, notes


def say(notes: Notebook, step: int, validation: float) -> None:
    said = {"step": step, "steps": 40, "tokens_per_second": 64.0, "learning_rate": 0.001, "gradient_norm": 1.0}
    samples = [
        {
            "prompt": "system\nSort the letter.\nuser\nWhere is my lamp?\nassistant\n",
            "reply": "delivery",
            "written": f"written at {step}",
        }
    ]
    notes.keep(f"learning {step}", {**said, "phase": "learning", "loss": 2 / (step + 1)})
    notes.keep(f"looking {step}", {**said, "phase": "looking", "validation": validation, "samples": samples})


def phase(step: int) -> dict[str, Any]:
    return {"point": {"phase": "learning", "step": step, "steps": 40}}


def test_data_is_chosen_a_tuning_foreseen_begun_and_done(visit: Any, letters: Served, picture: Any) -> None:
    page = visit("/improve", base_url=letters.base_url)
    page.get_by_text("13 cases").wait_for()
    sync_api.expect(page.locator("#method-part")).to_be_hidden()
    page.get_by_role("radio", name="letters-train").check()
    about = page.locator("#about")
    sync_api.expect(about).to_contain_text("1 case is near to one of letters")
    sync_api.expect(about).to_contain_text("It is left out when the data is frozen")
    for words in ("To learn", "13 cases", "Sort the letter.", "delivery"):
        assert words in about.inner_text()
    picture(page, "improve-data")
    page.get_by_role("radio", name="Quick").check()
    assert "--set steps=3" in page.inner_text("#command")
    assert page.locator("#begin").is_hidden()
    page.get_by_role("button", name="See what it takes").click()
    begin = page.get_by_role("button", name="Begin to tune")
    begin.wait_for(timeout=LONG)
    sync_api.expect(begin).to_be_focused()
    assert "12 cases" not in page.inner_text("#cost"), "two are kept to see what is learned"
    begin.click()
    page.locator("#live .live").wait_for()
    page.get_by_role("button", name="Make a variant").wait_for(timeout=LONG)
    [id_] = parse_qs(urlsplit(page.url).query)["run"]
    picture(page, "improve-done")
    page.reload()
    sync_api.expect(page.locator("#live-title")).to_have_text("lora of main on letters-train")
    sync_api.expect(page.locator(".tuned")).to_contain_text("Validation loss")
    assert f"gatewheel variants add {id_} --app main" in page.inner_text(".onward")
    page.get_by_role("link", name="Another tuning").click()
    page.get_by_role("button", name="See what it takes").wait_for()  # what it took before is told no more
    sync_api.expect(page.get_by_role("radio", name="letters-train", exact=False).first).to_be_checked()
    page.locator("#past").get_by_role("link", name="lora of main on letters-train").click()
    sync_api.expect(page.locator("#live-title")).to_be_visible()
    page.go_back()
    sync_api.expect(page.locator("#live")).to_be_hidden()


def test_a_tuning_at_work_shows_its_curves_and_is_stopped_and_kept(visit: Any, letters: Served, picture: Any) -> None:
    engine = letters.project.parts.engine
    id_, notes = at_work(letters, [4.0, 1.0])
    page = visit(f"/improve?run={id_}", base_url=letters.base_url)
    sync_api.expect(page.locator(".live-phase")).to_have_text("Learning")
    sync_api.expect(page.locator(".advice")).to_have_text("the validation loss still falls: let it run")
    facts = page.locator(".live .progress-facts")
    for words in ("10 of 40 steps", "64 tokens a second", "about 1 min 5 s left"):
        sync_api.expect(facts).to_contain_text(words)
    loss = page.get_by_role("img", name="Loss over 40 steps: training from 2 to 0.182; validation from 4 to 1")
    loss.wait_for()
    assert page.locator(".curve svg").count() == 4
    samples = page.locator("section", has_text="What it writes").locator(".sample")
    sync_api.expect(samples).to_contain_text("written at 10")
    assert samples.locator(".said-prompt p").all_inner_texts() == ["system Sort the letter.", "user Where is my lamp?"]
    page.get_by_role("button", name="before").click()
    sync_api.expect(samples).to_contain_text("written at 0")
    say(notes, 20, 1.6)
    say(notes, 21, 1.7)
    runs.change(engine, id_, progress={"target": "lora of main, learning", "done": 20, "total": 40, **phase(20)})
    sync_api.expect(page.locator(".advice")).to_contain_text("rises since step 10")
    sync_api.expect(samples).to_contain_text("written at 0")
    picture(page, "improve-live")
    page.get_by_role("button", name="Stop and keep").click()
    sync_api.expect(page.locator(".live-phase")).to_contain_text("with the best adapter so far")
    assert (runs.folder(letters.project.parts.config.state, id_) / KEEP).exists()
    page.reload()
    sync_api.expect(page.locator(".live-phase")).to_contain_text("with the best adapter so far")
    assert page.get_by_role("button", name="Stop and keep").is_hidden()
    runs.end(engine, id_, "failed", error="user: the disk is full")
    sync_api.expect(page.locator(".live")).to_contain_text("the disk is full")
    page.get_by_role("button", name="Resume").wait_for()
    assert page.get_by_role("button", name="Stop and keep").is_hidden()


def test_every_setting_is_there_with_its_meaning_and_stands_in_the_address(visit: Any, letters: Served) -> None:
    page = visit("/improve?data=letters-train", base_url=letters.base_url, tolerate="400")
    page.get_by_role("button", name="Advanced").click()
    sync_api.expect(page.get_by_role("button", name="Advanced")).to_be_focused()
    rank = page.get_by_label("rank", exact=True)
    assert rank.input_value() == "4"
    assert "The file says 4; default: 16" in page.inner_text("#set-rank-told")
    rank.fill("0")
    page.keyboard.press("Tab")
    sync_api.expect(page.locator("#set-alpha")).to_be_focused()
    page.locator("#set-schedule").select_option("linear")
    page.get_by_role("checkbox", name="q_proj").uncheck()
    assert "--set rank=0 --set schedule=linear" in page.inner_text("#command").replace("'", "")
    page.get_by_role("button", name="See what it takes").click()
    sync_api.expect(page.locator("#cost-problem")).to_contain_text("rank: must be at least 1, got 0")
    page.reload()
    assert page.get_by_label("rank", exact=True).input_value() == "0"
    assert not page.get_by_role("checkbox", name="q_proj").is_checked()
    page.get_by_role("radio", name="qlora").check()
    assert "set=" not in page.url
    sync_api.expect(page.get_by_role("radio", name="qlora")).to_be_focused()


def test_a_turn_has_the_steps_that_it_needs_and_a_gate(visit: Any, letters: Served) -> None:
    page = visit("/improve?data=letters-train&how=turn", base_url=letters.base_url)
    page.get_by_role("radio", name="The whole turn").wait_for()
    cut = """async ([minutes, how]) => {
        const here = document.querySelector("script[type=module]").src;
        const { cut, told } = await import(here.replace(/[^/]*$/, "foresight.js"));
        const seen = { steps: 100, seconds: 6000, examples: 9, kept: 2, without: 0, reasons: {}, fits: true, told: "" };
        const limit = cut(seen, { minutes, how });
        return [limit, told(seen, limit, how).map((one) => one?.innerText ?? "").join(" ")];
    }"""
    limit, said = page.evaluate(cut, [5, "turn"])
    assert (limit, "a whole turn needs 8 steps at least" in said, "fewer or shorter cases" in said) == (0, True, True)
    assert page.evaluate(cut, [15, "turn"])[0] == 9
    assert page.evaluate(cut, [5, ""])[0] == 5
    page.goto("/improve?data=letters-train&how=turn&app=elsewhere")
    sync_api.expect(page.locator("input[name=how][value='']")).to_be_checked()
    assert "gatewheel finetune" in page.inner_text("#command")
    engine = letters.project.parts.engine
    id_ = runs.create(engine, "improve", settings={**ASKED, "gate": "main", "budget": 2700.0}, config={})
    runs.end(engine, id_, "failed", error="user: the disk is full")
    page.goto(f"/improve?run={id_}")
    page.get_by_text("the disk is full").first.wait_for()
    page.get_by_role("link", name="Another tuning").click()
    sync_api.expect(page.get_by_label("At most")).to_have_value("45")


def test_a_variant_that_is_being_made_is_followed_after_a_reload(visit: Any, letters: Served) -> None:
    engine, adapter = letters.project.parts.engine, "ab" * 32
    id_, _ = at_work(letters, [4.0, 1.0])
    runs.end(engine, id_, "done", result={"adapter": adapter, "tuned": {**TUNED, "examples": 8}})
    making = runs.create(engine, "add", settings={"adapter": adapter, "app": "main"}, config={})
    runs.change(engine, making, state="running", started=1.0)
    page = visit(f"/improve?run={id_}", base_url=letters.base_url)
    make = page.get_by_role("button", name="Make a variant")
    sync_api.expect(page.locator(".onward").get_by_role("link", name="The run")).to_be_visible()
    sync_api.expect(make).to_be_disabled()
    assert "Learned from\n8 cases" in page.inner_text(".tuned")
    runs.end(engine, making, "failed", error="user: the disk is full")
    sync_api.expect(page.locator(".onward")).to_contain_text("the disk is full")
    sync_api.expect(make).to_be_enabled()


def test_an_address_that_names_what_is_not_there_says_so(visit: Any, letters: Served) -> None:
    page = visit("/improve?data=gone", base_url=letters.base_url)
    page.get_by_text("There is no set gone").wait_for()
    page = visit("/improve?run=gone", base_url=letters.base_url, tolerate="404")
    page.get_by_text("no run 'gone'").wait_for()


def test_it_fits_a_narrow_screen(visit: Any, letters: Served) -> None:
    id_, _ = at_work(letters, [4.0, 1.0])
    for path in ("/improve?data=letters-train", "/improve?data=letters-train&view=advanced", f"/improve?run={id_}"):
        page = visit(path, base_url=letters.base_url, width=360)
        page.locator("#method fieldset, .curve svg").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    runs.end(letters.project.parts.engine, id_, "cancelled")


@pytest.mark.skipif(not AXE, reason="no axe-core: `npm pack axe-core`, unpack, set GATEWHEEL_AXE to its axe.min.js")
def test_axe_finds_nothing(visit: Any, letters: Served) -> None:
    id_, _ = at_work(letters, [4.0, 1.0])
    for path in ("/improve?data=letters-train", "/improve?data=letters-train&view=advanced", f"/improve?run={id_}"):
        page = visit(path, base_url=letters.base_url, bypass_csp=True)
        page.locator("#method fieldset, .curve svg").first.wait_for()
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [(path, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    runs.end(letters.project.parts.engine, id_, "cancelled")
