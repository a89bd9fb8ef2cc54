"""Feedback: saying the same twice is saying it once, whatever lies between; what is kept survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select

import gatewheel as gw
from gatewheel.kernel import trace
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Feedback, Trace
from gatewheel.kernel.store import schema
from gatewheel.ops import feedback

PLAIN = Trace(
    id="f" * 32,
    created=1.0,
    kind="ask",
    question="Is it?",
    answer="",
    abstained=False,
    variant="v",
    seconds=0.1,
    input_tokens=1,
    output_tokens=1,
)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
said = st.builds(
    Feedback,
    id=st.just(""),
    trace=st.sampled_from(["a" * 32, "b" * 32]),
    created=st.just(0.0),
    author=st.sampled_from(["", "k1"]),
    thumb=st.sampled_from([None, "up", "down"]),
    score=st.none() | st.floats(0, 1),
    comment=words,
    correction=words,
    wrong_citations=st.lists(st.integers(1, 9), max_size=3).map(tuple),
)


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.feedback)).scalar_one())


def meaning(one: Feedback) -> Any:
    return (
        *(one.trace, one.author, one.thumb, one.score, one.comment, one.correction),
        frozenset(one.wrong_citations),
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(said, min_size=1, max_size=6), again=st.lists(st.integers(0, 5), max_size=6))
def test_saying_the_same_again_leaves_one_row(engine: Engine, told: list[Feedback], again: list[int]) -> None:
    with engine.begin() as connection:
        connection.execute(delete(schema.feedback))
    order = [*told, *(told[at % len(told)] for at in again)]
    seen: set[Any] = set()
    for one in order:
        kept, new = feedback.keep(engine, one)
        assert new == (meaning(one) not in seen)
        assert meaning(kept) == meaning(one)
        seen.add(meaning(one))
    assert rows(engine) == len(seen)
    found = feedback.recent(engine, limit=100)
    assert {meaning(one) for one in found} == seen
    assert [one.created for one in found] == sorted((one.created for one in found), reverse=True)


def test_the_last_thumb_counts_also_when_it_was_held_up_before(engine: Engine) -> None:
    for at, thumb in enumerate(["up", "down", "up", "up"], start=1):
        one = Feedback(id="", trace="a" * 32, created=float(at), thumb=thumb)  # type: ignore[arg-type]
        kept, new = feedback.keep(engine, one)
        assert new == (at < 3)
    assert kept.created == 3.0, "to say again what is said already changes nothing"
    assert feedback.counts(engine) == feedback.Counts(up=1, down=0, corrections=0)
    assert feedback.of_traces(engine, ["a" * 32, "c" * 32]) == {"a" * 32: feedback.Said(thumb="up", count=2)}


def test_the_newest_thumb_of_each_author_counts_and_one_that_is_down_decides(engine: Engine) -> None:
    ids = {name: name * 32 for name in "abcd"}
    held = [
        *[("a", "k1", "down"), ("a", "k2", "up")],  # they differ
        *[("b", "k1", "down"), ("b", "k1", "up"), ("b", "k2", "up")],  # one has come round
        *[("c", "k1", "up"), ("c", "k1", None)],  # a later comment takes no thumb back
        ("d", "k1", None),
    ]
    for name, id_ in ids.items():
        trace.keep(engine, replace(PLAIN, id=id_, key=name))
    for at, (name, author, thumb) in enumerate(held, start=1):
        said = Feedback(id="", trace=ids[name], created=float(at), author=author, thumb=thumb, comment=f"{at}")  # type: ignore[arg-type]
        feedback.keep(engine, said)
    verdicts = {"a": "down", "b": "up", "c": "up", "d": None}
    assert {name: feedback.of_traces(engine, [id_])[id_].thumb for name, id_ in ids.items()} == verdicts
    assert feedback.counts(engine) == feedback.Counts(up=2, down=1, corrections=0)
    assert feedback.counts(engine, keys=["b"]) == feedback.Counts(up=1, down=0, corrections=0)
    for thumb in ("up", "down"):
        expected = {ids[name] for name, verdict in verdicts.items() if verdict == thumb}
        assert {one.id for one in trace.search(engine, thumb=thumb)} == expected


def test_the_same_said_at_once_from_many_threads_is_one_row(engine: Engine) -> None:
    one = Feedback(id="", trace="a" * 32, created=1.0, thumb="up", comment="yes")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: feedback.keep(engine, one)[1], range(16)))
    assert outcomes.count(True) == 1
    assert rows(engine) == 1


KILLED = """
import sys
import gatewheel as gw
with gw.open(sys.argv[1]) as project:
    number = 0
    while True:
        number += 1
        project.give_feedback(sys.argv[2], comment=f"number {number}")
        print(number, flush=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Any:
    gw.init(tmp_path).close()
    with gw.open(tmp_path) as opened:
        yield opened


def asked(project: Any, id_: str = "f" * 32, answer: str = "Yes [1]. It is so [3].") -> str:
    trace.keep(project.parts.engine, replace(PLAIN, id=id_, created=time.time(), answer=answer))
    return id_


def test_kill_9_loses_nothing_that_was_acknowledged(project: Any) -> None:
    id_ = asked(project)
    words = [sys.executable, "-c", KILLED, str(project.config.root), id_]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = 0
        while acknowledged < 20:
            acknowledged = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    kept = {one.comment for one in project.feedback(trace=id_, limit=10_000)}
    assert {f"number {number}" for number in range(1, acknowledged + 1)} <= kept


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "says nothing"),
        ({"comment": "  "}, "says nothing"),
        ({"score": 1.5}, "score is 1.5"),
        ({"score": float("nan")}, "score is nan"),
        ({"thumb": "sideways"}, "sideways"),
        ({"wrong_citations": [2]}, r"no citation \[2\]; it has \[1\], \[3\]"),
        ({"comment": "a\0b"}, "NUL"),
        ({"correction": "\ud800"}, "surrogates"),
        ({"correction": "x" * 100_001}, "100001 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_cure(project: Any, said: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason) as refused:
        project.give_feedback(asked(project), **said)
    assert refused.value.cure
    assert project.feedback() == []


def test_a_trace_is_named_by_the_beginning_of_its_id(project: Any) -> None:
    asked(project, "f" * 32)
    asked(project, "fe" * 16)
    kept = project.give_feedback("fff", wrong_citations=[3, 1, 3])
    assert (kept.trace, kept.wrong_citations) == ("f" * 32, (1, 3))
    for unknown in ("0", "f", "", "%"):
        with pytest.raises(UserError, match=r"no trace|begins 2 traces"):
            project.give_feedback(unknown, thumb="up")
