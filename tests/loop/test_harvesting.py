"""Harvests: a person's words become what is learned, once, redacted, and never near to what is held out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from examinee import examinee
from gatewheel.data import cases as case_files
from gatewheel.data import collecting, origins, splits, suites
from gatewheel.data.cases import split_key
from gatewheel.kernel import trace as traces
from gatewheel.kernel.errors import FilterError, UserError
from gatewheel.kernel.nouns import Case, Message, Trace
from gatewheel.kernel.store.database import URL_VARIABLE
from gatewheel.loop import freezing, harvesting
from gatewheel.loop.harvesting import Harvested, Wanted
from serving import make_project

DAY = 86_400.0
HARVESTER = """
import sys
import gatewheel as gw
from gatewheel.loop import harvesting
with gw.open(sys.argv[1]) as project:
    print("open", flush=True)
    harvesting.harvest(project.parts, harvesting.Wanted(to="study"), encoder=None)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[gw.Project]:
    gw.init(tmp_path / "home").close()
    with gw.open(tmp_path / "home") as opened:
        yield opened


def asked(project: gw.Project, number: int, question: str, **changed: Any) -> str:
    """A trace that was recorded."""
    made = Trace(
        id=f"{number:032x}",
        created=time.time() - DAY,
        kind="ask",
        question=question,
        answer=f"Answer {number} [1].",
        abstained=False,
        variant="c0de" * 16,
        seconds=1.0,
        input_tokens=1,
        output_tokens=1,
    )
    traces.keep(project.parts.engine, replace(made, **changed))
    return made.id


def harvest(project: gw.Project, **wanted: Any) -> Harvested:
    return harvesting.harvest(project.parts, Wanted(**{"to": "study", **wanted}), encoder=None)


def counts(done: Harvested) -> tuple[int, int, int, int]:
    return done.cases, done.added, done.renewed, done.known


def taught(project: gw.Project) -> dict[str, tuple[str, ...]]:
    return {case.question: case.references for case in suites.load(project.config.root, "study").cases}


def test_a_correction_is_learned_with_where_it_comes_from(project: gw.Project) -> None:
    first = asked(project, 1, "When does the museum open?")
    silent = asked(project, 2, "Who runs the ferry to the island?")
    said = project.give_feedback(first, thumb="down", correction="At nine.")
    project.give_feedback(silent, thumb="down", comment="no")
    done = harvest(project, where="thumb=down", since=time.time() - 7 * DAY)
    assert (done.traces, *counts(done)) == (2, 1, 1, 0, 0)
    assert [(one.trace, one.reason[:44]) for one in done.passed] == [
        (silent, "nobody wrote what would have been right; wri")
    ]
    suite = suites.load(project.config.root, "study")
    assert (suite.split, taught(project)) == ("train", {"When does the museum open?": ("At nine.",)})
    key = split_key(suite.cases[0])
    assert splits.of(project.parts.engine, [key]) == {key: "train"}
    known = {(one.kind, one.ref): one.detail for one in origins.of(project.parts.engine, [key])[key]}
    assert known == {
        ("trace", first): {"kind": "ask", "variant": "c0de" * 16, "key": ""},
        ("feedback", said.id): {"trace": first, "author": "", "corrected": True},
    }


def test_what_another_application_answered_is_left_alone_where_one_is_named(project: gw.Project) -> None:
    for number, app in enumerate(("", "main", "sort")):
        said = {"question": f"What does number {number} say?", "app": app}
        project.give_feedback(asked(project, number, **said), correction="It says so.")
    done = harvest(project, app="main")
    assert (done.traces, sorted(taught(project))) == (2, ["What does number 0 say?", "What does number 1 say?"])
    assert harvest(project, where="app=sort").added == 1, "though it is no more"
    with pytest.raises(FilterError, match=r"there is no \[app\.mian\]; did you mean 'main'"):
        harvest(project, where="app=mian")


def test_what_was_said_is_harvested_and_frozen_on_each_engine(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gw.init(tmp_path / "there").close()
    monkeypatch.setenv(URL_VARIABLE, store_url)
    with gw.open(tmp_path / "there") as project:
        for number, question in enumerate(["When does the museum open?", "Who runs the ferry?"]):
            project.give_feedback(asked(project, number, question), thumb="down", correction=f"Number {number}.")
        assert counts(harvest(project, where="thumb=down and corrected=yes")) == (2, 2, 0, 0)
        assert counts(harvest(project)) == (2, 0, 0, 2)
        done = freezing.freeze(project.parts, freezing.Wanted(suite="study"), encoder=None)
    assert (done.dataset.cases, done.dataset.card["origins"]["feedback"]) == (2, 2)


def test_again_adds_nothing_and_a_new_word_comes_first(project: gw.Project) -> None:
    first = asked(project, 1, "When does the museum open?")
    project.give_feedback(first, correction="At nine.")
    assert counts(harvest(project)) == (1, 1, 0, 0)
    before = (project.config.root / "suites" / "study.jsonl").read_bytes()
    assert counts(harvest(project)) == (1, 0, 0, 1)
    assert (project.config.root / "suites" / "study.jsonl").read_bytes() == before
    project.give_feedback(asked(project, 2, "When does  the museum open?"), correction="At ten.")
    assert counts(harvest(project)) == (1, 0, 1, 0)
    assert taught(project) == {"When does the museum open?": ("At ten.", "At nine.")}
    assert counts(harvest(project)) == (1, 0, 0, 1)
    key = split_key(suites.load(project.config.root, "study").cases[0])
    assert len(origins.of(project.parts.engine, [key])[key]) == 4
    project.give_feedback(asked(project, 3, "When does the museum open?"), thumb="up")
    assert counts(harvest(project, where="thumb=up")) == (1, 0, 1, 0)
    assert taught(project) == {"When does the museum open?": ("At ten.", "At nine.", "Answer 3.")}


def test_good_answers_are_learned_where_they_are_asked_for(project: gw.Project) -> None:
    project.give_feedback(asked(project, 1, "When does the museum open?"), thumb="up")
    project.give_feedback(asked(project, 2, "Who is the king of the moon?", abstained=True), thumb="up")
    assert counts(harvest(project)) == (0, 0, 0, 0)
    assert suites.names(project.config.root) == []
    assert counts(harvest(project, where="thumb=up and kind=ask")) == (2, 2, 0, 0)
    found = suites.load(project.config.root, "study").cases
    assert {(case.references, case.answerable) for case in found} == {(("Answer 1.",), True), ((), False)}
    project.give_feedback(f"{2:032x}", correction="Nobody is.")
    assert counts(harvest(project)) == (2, 0, 1, 0)
    assert taught(project)["Who is the king of the moon?"] == ("Nobody is.",)


def test_what_belongs_to_people_is_blacked_out_before_it_is_written(project: gw.Project) -> None:
    trace = asked(project, 1, "What did bob@example.org ask about the bees?")
    project.give_feedback(trace, correction="He gave 4111 1111 1111 1111 for the honey.")
    harvest(project)
    assert taught(project) == {"What did [email] ask about the bees?": ("He gave [card] for the honey.",)}
    for path in (project.config.root / "suites").iterdir():
        assert b"bob@" not in path.read_bytes()
    assert counts(harvest(project, to="raw", redact=())) == (1, 1, 0, 0)
    assert "bob@example.org" in suites.load(project.config.root, "raw").cases[0].question


def test_what_is_held_out_or_near_to_it_is_never_harvested(project: gw.Project) -> None:
    near = "How many days of holiday does an employee of the firm get in the first year"
    secret = "Which of the bees did bob@example.org buy at the market?"
    held = [Case(id="", question=question, references=("x",)) for question in (f"{near}?", secret)]
    collecting.take(project.config.root, project.parts.engine, held, name="exam", split="holdout", encoder=None)
    gone = Case(id="", question="Where does the printer of the second floor stand?", references=("x",))
    splits.assign(project.parts.engine, [gone], "holdout")
    for number, question in enumerate([near.upper(), secret, gone.question, "Why does a wheel turn?"]):
        project.give_feedback(asked(project, number, question), correction=f"Because of {number}.")
    done = harvest(project)
    assert taught(project) == {"Why does a wheel turn?": ("Because of 3.",)}
    reasons = {one.question: one.reason for one in done.passed}
    assert reasons[near.upper()] == f"nearly '{near}?' of the held-out suite exam"
    assert "of the held-out suite exam" in reasons[secret] or reasons[secret] == "it is held out already"
    assert reasons[gone.question] == "it is held out already"
    with pytest.raises(UserError, match="the cases of suite exam are held out, not for training; harvest into another"):
        harvest(project, to="exam")
    with pytest.raises(FilterError, match="did you mean 'thumb'"):
        harvest(project, where="thum=down")


def test_what_somebody_wrote_by_hand_stays(project: gw.Project) -> None:
    own = Case(id="mine", question="When does the museum open?", references=("At noon.",))
    collecting.take(project.config.root, project.parts.engine, [own], name="study", split="train", encoder=None)
    project.give_feedback(asked(project, 1, "When does the museum open?"), correction="At nine.")
    done = harvest(project)
    assert counts(done) == (1, 0, 0, 0)
    assert [one.reason for one in done.passed] == ["suite study asks it in words of its own"]
    assert taught(project) == {"When does the museum open?": ("At noon.",)}


def test_only_what_was_said_since_then_is_looked_at(project: gw.Project) -> None:
    project.give_feedback(asked(project, 1, "When does the museum open?", created=1.0), correction="At nine.")
    assert counts(harvest(project, since=time.time() + 60)) == (0, 0, 0, 0)
    assert counts(harvest(project, since=time.time() - 60)) == (1, 1, 0, 0)


@pytest.mark.parametrize("write", [0, 1])
def test_a_harvest_that_is_stopped_is_finished_by_doing_it_again(
    project: gw.Project, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    project.give_feedback(asked(project, 1, "When does the museum open?"), correction="At nine.")
    real, writes = case_files.replace, iter(range(9))

    def stopping(path: Path, data: bytes) -> None:
        if path.parent.name == "suites" and next(writes) == write:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(case_files, "replace", stopping)
    with pytest.raises(KeyboardInterrupt):
        harvest(project)
    monkeypatch.undo()
    harvest(project)
    assert taught(project) == {"When does the museum open?": ("At nine.",)}
    assert suites.load(project.config.root, "study").split == "train"


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_leaves_what_the_next_harvest_makes_whole(project: gw.Project, seed: int) -> None:
    root, engine = project.config.root, project.parts.engine
    for number in range(60):
        project.give_feedback(
            asked(project, number, f"What is thing number {number} good for?"), correction=f"For {number}."
        )
    with subprocess.Popen([sys.executable, "-c", HARVESTER, str(root)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(seed).random() / 4)
        os.kill(child.pid, signal.SIGKILL)
    path = root / "suites" / "study.jsonl"
    whole = case_files.read(path) if path.exists() else []
    assert len(whole) in (0, 60)
    entered = splits.of(engine, map(split_key, whole))
    assert len(entered) == len(whole)
    assert len(origins.of(engine, entered)) == len(entered)
    done = harvest(project)
    assert (done.cases, done.added + done.known) == (60, 60)
    keys = [split_key(case) for case in suites.load(root, "study").cases]
    assert set(splits.of(engine, keys).values()) == {"train"}
    assert {len(found) for found in origins.of(engine, keys).values()} == {2}


def test_traces_of_real_questions_are_harvested(tmp_path: Path) -> None:
    """One question, a follow-up in a conversation, and a plain chat with a model."""
    with examinee() as endpoint:
        model = f'use = "openai"\nmodel = "exam"\nbase_url = "{endpoint.url}/v1"'
        opened = make_project(tmp_path / "office")
        toml = tmp_path / "office" / "gatewheel.toml"
        toml.write_text(f"{toml.read_text(encoding='utf-8')}\n[model.exam]\n{model}\n", encoding="utf-8")
        opened.close()
        with gw.open(tmp_path / "office") as project:
            chat = project.chat(app="quoting")
            first = chat.ask("How much does the kettle of the office hold?")
            second = chat.ask("When does its guarantee end?")
            turns = [Message(role="system", content="Be brief."), Message(role="user", content="What is 2 plus 2?")]
            project.complete(turns, model="exam")
            plain = project.traces(limit=1)[0]
            for trace, right in ((first.trace, "1.7 litres."), (second.trace, "In 2031."), (plain.id, "4.")):
                assert trace
                project.give_feedback(trace, thumb="down", correction=right)
            assert counts(harvest(project, where="thumb=down")) == (3, 3, 0, 0)
            found = {case.references[0]: case for case in suites.load(project.config.root, "study").cases}
    assert found["1.7 litres."].question == "How much does the kettle of the office hold?"
    follow_up = "How much does the kettle of the office hold? When does its guarantee end?"
    assert found["In 2031."].question == follow_up
    assert (found["4."].question, found["4."].history) == ("What is 2 plus 2?", (turns[0],))
