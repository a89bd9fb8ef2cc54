"""Whether a pass still holds may take minutes to find out: nobody waits for it, and it is found out once for all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

import gatewheel as gw
import gating
from awaiting import eventually
from gatewheel.kernel.ports import Encoder
from gatewheel.loop.gating import decide
from gatewheel.loop.serving import open_for_serving
from gatewheel.ops import releases
from gatewheel.serve.app import QUICK
from serving import Served, running


class Slow:
    """The encoder of a project, which reads nothing of the new training data before it may. Fulfils the port."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.id, self.dimensions, self.max_tokens = encoder.id, encoder.dimensions, encoder.max_tokens
        self.starts = encoder.starts
        self.may, self.read = threading.Event(), list[str]()

    def encode(self, texts: Sequence[str]) -> Any:
        new = [text for text in texts if "snippet" in text]
        self.read += new
        if new:
            assert self.may.wait(60)
        return self._encoder.encode(texts)


@pytest.fixture
def passed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Slow]]:
    """A service with a candidate that passed, and since then a training suite came whose encoding does not end."""
    folder = gating.make(tmp_path_factory.mktemp("checked") / "rooms")
    project = open_for_serving(gw.open(folder))
    deaf = project.parts.keep_variant("deaf").id
    releases.promote(project.parts.engine, "main", deaf, gates={}, override="the first one")
    decide(project.parts, "main")
    slow = Slow(project.parts.encoder)
    project.parts.encoder = slow
    lines = [{"question": f"Which snippet has the number {number}?"} for number in range(300)]
    (folder / "suites" / "learnt.toml").write_text('metrics = ["inclusion"]\nsplit = "train"\n', encoding="utf-8")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "suites" / "learnt.jsonl").write_text(text, encoding="utf-8")
    with running(project) as it:
        try:
            yield it, slow
        finally:
            slow.may.set()


def test_many_tabs_wait_for_one_look_and_hold_up_nobody(passed: tuple[Served, Slow]) -> None:
    served, slow = passed
    tabs = 2 * QUICK

    def look(_: int) -> Any:
        return httpx2.get(f"{served.base_url}/api/releases/main/refused", timeout=60).json()

    with ThreadPoolExecutor(tabs) as pool:
        asked = [pool.submit(look, number) for number in range(tabs)]
        eventually(lambda: bool(slow.read))
        page = httpx2.get(f"{served.base_url}/api/releases", timeout=60).json()
        one = next(one for one in page["apps"] if one["app"] == "main")
        assert [each["passed"] for each in one["candidates"]] == [True]
        assert httpx2.get(f"{served.base_url}/api/wheel", timeout=60).status_code == 200
        told = [each.result() for each in asked]
        assert told == [{"checked": False, "candidates": []}] * tabs, "while nothing is known"
        again = pool.submit(look, 0)
        slow.may.set()
        main = served.project.parts.variant("main").id
        eventually(lambda: look(0)["checked"])
        assert look(0)["candidates"] == [{"variant": main, "refused": ""}]
        again.result()
    assert len(slow.read) == len(set(slow.read)) == 300, "every text was read once"


def test_a_service_that_closes_does_not_wait_for_a_look_and_what_was_read_stays(passed: tuple[Served, Slow]) -> None:
    served, slow = passed
    assert not httpx2.get(f"{served.base_url}/api/releases/main/refused", timeout=60).json()["checked"]
    served.service.closing.set()
    slow.may.set()
    eventually(lambda: len(slow.read) == 256, seconds=10)  # the slice that was under way, and no further
    served.service.lookup.close()
    assert len(slow.read) == 256
    assert list((served.project.config.state / "questions").glob("*.npz"))
