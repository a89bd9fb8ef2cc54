"""Drafting as a run: stopped while the endpoint thinks it goes on with the next passage, up to the number asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewheel as gw
from awaiting import eventually
from examinee import Examinee, examinee, project
from gatewheel.data import drafts
from gatewheel.loop.drafting import TRIES
from stopping import THINKING, called, interrupted, start

NAMES = "Aldgate Bristol Cardiff Dundee Exeter Falmouth Glasgow Hull Ipswich Jarrow Kendal Leeds".split()


def asked(message: str) -> str:
    """A question in the words of the sentence; of towns with an L nothing that could be kept."""
    words = message.removeprefix("Sentence: ").split()
    return "No idea." if words[3].startswith("L") else f"When did {' '.join(words[:6])} first?"


@pytest.fixture
def endpoint() -> Iterator[Examinee]:
    with examinee(asked) as one:
        yield one


@pytest.fixture
def home(tmp_path: Path, endpoint: Examinee) -> Path:
    project(tmp_path, endpoint.url)
    for at, name in enumerate(NAMES):
        text = f"# {name}\n\nThe harbour museum {name} opened its doors to visitors in the year {1901 + at}.\n"
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    with gw.open(tmp_path) as opened:
        opened.ingest()
    return tmp_path


def test_ctrl_c_keeps_the_drafts_and_resuming_makes_the_rest(home: Path, endpoint: Examinee) -> None:
    def slow(message: str) -> str:
        if len(set(endpoint.asked)) >= 5:
            endpoint.seconds = THINKING
        return asked(message)

    endpoint.rule = slow
    watcher = start(home, "evals", "generate", "town", "-n", "8", "--json")
    eventually(lambda: endpoint.seconds == THINKING, seconds=60)
    eventually(lambda: len(set(endpoint.asked)) >= 6, seconds=60)
    run = interrupted(watcher, home)
    assert (run.kind, run.progress["total"]) == ("generate", 8)
    made = drafts.waiting(home, "town")
    assert 0 < len(made) < 8
    endpoint.rule, endpoint.seconds = asked, 0.0
    resumed = called(home, "runs", "resume", run.id)
    waiting = drafts.waiting(home, "town")
    assert waiting[: len(made)] == made
    assert len(resumed["result"]["drafts"]) == len(waiting) == 8
    often = Counter(endpoint.asked)
    assert sum(often.values()) <= sum(TRIES if "L" in text.split()[4] else 1 for text in often) + 1
