"""The history of releases: what is written stays, what was changed is found, and nobody is released past the gate."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.schema import releases as table
from gatewheel.ops import releases

A, B, C = "a" * 64, "b" * 64, "c" * 64


def passed(engine: Engine, variant: str, *, gate: str = "main", outcome: str = "promote", app: str = "main") -> None:
    released = releases.current(engine, app)
    releases.record(engine, app, variant, reason={"gate": gate, "outcome": outcome, "released": released})


def release(engine: Engine, variant: str, **said: Any) -> None:
    passed(engine, variant, **said)
    releases.promote(engine, "main", variant, gates={"main": {}})


def test_a_release_needs_the_pass_of_every_gate_against_what_is_released_now(engine: Engine) -> None:
    with pytest.raises(UserError, match=r"\[gate.main\] never judged aaaaaaaaaaaa"):
        releases.promote(engine, "main", A, gates={"main": {}})
    passed(engine, A)
    with pytest.raises(UserError, match=r"\[gate.safety\] never judged"):
        releases.promote(engine, "main", A, gates={"main": {}, "safety": {}})
    passed(engine, A, gate="safety")
    assert releases.promote(engine, "main", A, gates={"main": {}, "safety": {}}).reason == {"decisions": [1, 2]}
    assert releases.current(engine, "main") == A
    passed(engine, B)
    passed(engine, C)
    releases.promote(engine, "main", B, gates={"main": {}})
    with pytest.raises(UserError, match="judged cccccccccccc before the present release, bbbbbbbbbbbb, was made"):
        releases.promote(engine, "main", C, gates={"main": {}})
    with pytest.raises(UserError, match="bbbbbbbbbbbb is the release"):
        releases.promote(engine, "main", B, gates={"main": {}})


def test_a_pass_from_before_a_roll_back_counts_no_more(engine: Engine) -> None:
    for variant in (A, B):
        release(engine, variant)
    releases.rollback(engine, "main", text="it leaks")
    with pytest.raises(UserError, match="judged bbbbbbbbbbbb before the roll back to aaaaaaaaaaaa"):
        releases.promote(engine, "main", B, gates={"main": {}})
    release(engine, B)  # the gate says the same as before, and says it anew
    assert releases.history(engine)[-1].reason == {"decisions": [6]}
    for _ in range(2):
        releases.rollback(engine, "main")
    with pytest.raises(UserError, match="judged aaaaaaaaaaaa before the roll back to what the file says"):
        releases.promote(engine, "main", A, gates={"main": {}})


def test_a_decision_that_was_under_way_during_a_release_is_no_pass(engine: Engine) -> None:
    releases.promote(engine, "main", A, gates={}, override="meanwhile")
    releases.record(engine, "main", B, reason={"gate": "main", "outcome": "promote", "released": ""})
    with pytest.raises(UserError, match="before the present release, aaaaaaaaaaaa, was made"):
        releases.promote(engine, "main", B, gates={"main": {}})


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("settings", r"\[gate.main\] was changed since row 1; run it again"),
        ("suite_id", "suite faq, its metrics or what judges by them were changed since row 1"),
        ("corpus", "the documents were changed since row 1"),
        ("incumbent", "what answers without a release was changed since row 1"),
    ],
)
def test_a_pass_holds_for_what_it_was_said_of(engine: Engine, key: str, told: str) -> None:
    said = {"settings": {"alpha": 0.05}, "suite_id": "1", "corpus": "2", "incumbent": "3"}
    reason = {"gate": "main", "outcome": "promote", "released": "", "suite": "faq", **said}
    releases.record(engine, "main", A, reason=reason)
    with pytest.raises(UserError, match=told):
        releases.promote(engine, "main", A, gates={"main": {**said, key: "other"}})
    assert releases.promote(engine, "main", A, gates={"main": said}).variant == A


def test_a_pass_without_the_cases_that_leaked_does_not_hold_when_nothing_leaks_any_more(engine: Engine) -> None:
    releases.record(engine, "main", A, reason={"gate": "main", "outcome": "promote", "released": "", "left_out": "1"})
    with pytest.raises(UserError, match="what leaked into suite None changed since row 1"):
        releases.promote(engine, "main", A, gates={"main": {}})
    assert releases.promote(engine, "main", A, gates={"main": {"left_out": "1"}}).variant == A


def test_words_from_a_latin_1_terminal_are_kept_as_far_as_they_can_be(engine: Engine) -> None:
    releases.promote(engine, "main", A, gates={}, override="the caf\udce9 is closed", author="Ren\udce9")
    [row] = releases.history(engine)
    assert (row.reason["override"], row.author) == ("the caf? is closed", "Ren?")
    assert not releases.verify(engine).faults


def test_what_was_released_last_is_known_after_it_was_rolled_back(engine: Engine) -> None:
    assert releases.last_released(engine, "main", besides=A) == ""
    release(engine, A)
    releases.rollback(engine, "main")
    assert releases.last_released(engine, "main", besides=A) == A
    release(engine, B)
    releases.rollback(engine, "main")
    assert releases.last_released(engine, "main", besides=A) == B
    assert releases.last_released(engine, "main", besides=B) == A
    assert releases.last_released(engine, "other", besides=B) == ""


@pytest.mark.parametrize("outcome", ["reject", "inconclusive"])
def test_the_last_word_of_a_gate_counts(engine: Engine, outcome: str) -> None:
    passed(engine, A)
    passed(engine, A, outcome=outcome)
    with pytest.raises(UserError, match=f"said of aaaaaaaaaaaa: {outcome}"):
        releases.promote(engine, "main", A, gates={"main": {}})
    passed(engine, A)
    assert releases.promote(engine, "main", A, gates={"main": {}}).variant == A


def test_who_goes_past_the_gate_says_why_and_it_stays_written(engine: Engine) -> None:
    with pytest.raises(UserError, match="no gate is set"):
        releases.promote(engine, "main", A, gates={})
    with pytest.raises(UserError, match="no gate is set"):
        releases.promote(engine, "main", A, gates={}, override="  ")
    made = releases.promote(engine, "main", A, gates={"main": {}}, override="the old one leaks", author="ada")
    assert releases.history(engine) == [made]
    assert (made.reason, made.author) == ({"override": "the old one leaks"}, "ada")


def test_rolling_back_goes_the_way_back_step_by_step(engine: Engine) -> None:
    with pytest.raises(UserError, match="no release to go back from"):
        releases.rollback(engine, "main")
    for variant in (A, B, C):
        release(engine, variant)
    said = [releases.rollback(engine, "main", text=f"step {step}").variant for step in range(2)]
    assert said == [B, A]
    release(engine, C)
    assert releases.rollback(engine, "main").variant == A
    assert releases.rollback(engine, "main").variant == ""
    assert (releases.current(engine, "main"), releases.serving(engine)) == ("", {})
    with pytest.raises(UserError, match="no release to go back from"):
        releases.rollback(engine, "main")
    assert releases.verify(engine).faults == ()


def test_rolling_back_further_at_once_takes_off_all_that_came_after(engine: Engine) -> None:
    for variant in (A, B, C):
        release(engine, variant)
    with pytest.raises(UserError, match="no release to go back from to dddddddddddd"):
        releases.rollback(engine, "main", to="d" * 64)
    with pytest.raises(UserError, match="no release to go back from to cccccccccccc"):
        releases.rollback(engine, "main", to=C)
    back = releases.rollback(engine, "main", to=A)
    assert (back.variant, back.reason["from"]) == (A, C)
    assert releases.stack_of(releases.history(engine), "main") == [A]
    release(engine, C)
    assert releases.rollback(engine, "main", to="").variant == ""
    assert releases.stack_of(releases.history(engine), "main") == []
    assert releases.verify(engine).faults == ()


def test_applications_have_releases_of_their_own(engine: Engine) -> None:
    releases.promote(engine, "main", A, gates={}, override="first")
    releases.propose(engine, "other", B, text="please")
    releases.promote(engine, "other", B, gates={}, override="first")
    assert releases.serving(engine) == {"main": A, "other": B}
    releases.rollback(engine, "other")
    assert releases.serving(engine) == {"main": A}
    assert [row.action for row in releases.history(engine, "other")] == ["propose", "promote", "rollback"]


def test_the_same_decision_is_written_once(engine: Engine) -> None:
    passed(engine, A)
    passed(engine, A)
    passed(engine, A, outcome="reject")
    passed(engine, A)
    assert [row.reason["outcome"] for row in releases.history(engine)] == ["promote", "reject", "promote"]


CHANGES = {
    "app": "other",
    "created": 1.0,
    "action": "propose",
    "variant": C,
    "reason": {"override": "none"},
    "author": "eve",
    "before": "1" * 64,
    "hash": "2" * 64,
}


@pytest.mark.parametrize("column", CHANGES)
def test_whatever_is_changed_is_found(engine: Engine, column: str) -> None:
    for variant in (A, B, A):
        releases.promote(engine, "main", variant, gates={}, override="so it is")
    assert releases.verify(engine).faults == ()
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.number == 2).values({column: CHANGES[column]}))
    assert any("row 2" in fault for fault in releases.verify(engine).faults)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_whatever_is_missing_is_found(engine: Engine, number: int) -> None:
    for variant in (A, B, A):
        releases.promote(engine, "main", variant, gates={}, override="so it is")
    head = releases.verify(engine).head
    with engine.begin() as connection:
        connection.execute(delete(table).where(table.c.number == number))
    assert releases.verify(engine).faults
    assert any("noted down" in fault for fault in releases.verify(engine, head=head).faults) == (number == 3)


def test_a_chain_that_was_written_anew_is_found_by_the_head_of_the_old_one(engine: Engine) -> None:
    releases.promote(engine, "main", A, gates={}, override="so it is")
    head = releases.verify(engine).head
    releases.promote(engine, "main", B, gates={}, override="so it is")
    assert releases.verify(engine, head=head).faults == ()
    with engine.begin() as connection:
        connection.execute(delete(table))
    assert releases.verify(engine).faults  # the note of how many there were is still there
    forged = releases.promote(engine, "main", C, gates={}, override="it always was")
    assert (forged.number, releases.verify(engine).faults) == (1, ())
    assert "the chain is another one" in releases.verify(engine, head=head).faults[0]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def test_whatever_a_reason_holds_it_reads_as_it_was_sealed(engine: Engine) -> None:
    @settings(max_examples=40)
    @given(st.dictionaries(texts, plain, max_size=4), texts)
    def holds(reason: dict[str, Any], author: str) -> None:
        row = releases.record(engine, "main", A, reason={**reason, "gate": "main"}, author=author[:32])
        assert releases.history(engine)[row.number - 1] == row
        assert releases.seal(row) == row.hash

    holds()
    assert releases.verify(engine).faults == ()


WRITER = """
import sys
from pathlib import Path
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.database import open_database
from gatewheel.ops import releases
engine = open_database(Path(sys.argv[1]), sys.argv[2])
mine, times = sys.argv[3] * 64, int(sys.argv[4])
print("ready", flush=True)
sys.stdin.readline()
made = 0
while made < times:
    try:
        print(releases.promote(engine, "main", mine, gates={}, override="in turn").number, flush=True)
        made += 1
    except UserError:
        pass  # it is released already: the other one's turn
"""


def writer(folder: Path, url: str, letter: str, times: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), url, letter, str(times)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_two_who_promote_at_once_write_one_chain(engine: Engine, store_url: str, tmp_path: Path) -> None:
    both = [writer(tmp_path, store_url, letter, 20) for letter in "ab"]
    go(*both)
    numbers = sorted(int(line) for process in both for line in process.communicate(timeout=120)[0].split())
    assert numbers == list(range(1, 41))  # what was acknowledged is there, once each
    rows = releases.history(engine)
    assert all(one.variant != other.variant for one, other in itertools.pairwise(rows))
    assert releases.verify(engine) == releases.Verified(rows=40, head=rows[-1].hash, faults=())


def test_who_is_killed_leaves_a_whole_chain(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gatewheel.db'}"
    engine = open_database(tmp_path, url)
    acknowledged = 0
    for _ in range(4):
        both = [writer(tmp_path, url, letter, 100_000) for letter in "ab"]
        go(*both)
        time.sleep(0.15)
        for process in both:
            process.kill()
        told = [line for process in both for line in process.communicate()[0].splitlines(keepends=True)]
        acknowledged = max([acknowledged, *(int(line) for line in told if line.endswith("\n"))])
        found = releases.verify(engine)
        assert found.faults == ()
        assert found.rows >= acknowledged
    assert acknowledged > 0
    engine.dispose()
