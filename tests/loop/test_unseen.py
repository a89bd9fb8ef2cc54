"""A gate decides on the cases that no training data holds, says so, and passes nothing that it could not look at."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

import gatewheel as gw
from gatewheel.data import sides
from gatewheel.data.leak_sources import Unread
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.learning import artifacts
from gatewheel.loop import client_files, freezing, leaks, releasing, reports, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.gating import Decided, decide
from gatewheel.loop.leaks import Leak, Leaks
from gatewheel.loop.unseen import left_out, state, unread
from gatewheel.ops.gate import Reason
from gating import make

FLOOR = "floors = { inclusion = 0.2 }\n"
WORDS_ONLY = '[encoder.main]\nuse = "none"\n[retriever.main]\nuse = "bm25"\n'


def leaked(n: int) -> Leaks:
    hits = (
        Leak(case=f"c{at}", question="q", other="o", other_question="q", source="web.csv", kind="run", score=1.0)
        for at in range(n)
    )
    return Leaks(hits=tuple(hits), sources=("web.csv",))


def test_what_is_left_out_is_said_and_more_than_half_leaves_it_open() -> None:
    assert list(left_out(Leaks(), 10)) == []
    [few] = left_out(leaked(1), 10)
    assert (few.rule, few.outcome) == ("unseen", "promote")
    assert few.text == "1 of 10 cases is in the training data too (web.csv) and left out."
    [half], [most] = left_out(leaked(5), 10), left_out(leaked(6), 10)
    assert (half.outcome, most.outcome) == ("promote", "inconclusive")
    assert most.text.endswith("That is more than half: add cases that nothing was trained on.")


def test_what_could_not_be_read_leaves_it_open_with_the_cure() -> None:
    [one] = unread(Leaks(unread=(Unread(name="x", reason="x.jsonl, line 1: no JSON; mend the line"),)))
    assert one.outcome == "inconclusive"
    assert one.text.endswith("could not be read: x.jsonl, line 1: no JSON; mend the line.")


def test_a_decision_is_about_the_cases_that_were_left_out() -> None:
    assert state(Leaks()) == {}
    assert state(leaked(2)) == state(leaked(2)) != state(leaked(3))


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(tmp_path_factory.mktemp("rooms"), gate=FLOOR, more=WORDS_ONLY)
    toml = folder / "suites" / "rooms.toml"
    toml.write_text(f'{toml.read_text(encoding="utf-8")}trained_on = ["web.jsonl"]\n', encoding="utf-8")
    learn(folder, 0)
    return folder


def learn(folder: Path, n: int, tag: str = "") -> None:
    """The first n cases of the suite, or of a slice, are in what was trained on, and something else."""
    lines = map(json.loads, (folder / "suites" / "rooms.jsonl").read_text(encoding="utf-8").splitlines())
    known = [{"question": one["question"].upper()} for one in lines if not tag or tag in one["tags"]][:n]
    text = "".join(json.dumps(one) + "\n" for one in [*known, {"question": "Who keeps the keys of the cellar?"}])
    (folder / "suites" / "web.jsonl").write_text(text, encoding="utf-8")


def decided(folder: Path, candidate: str = "main") -> Decided:
    with gw.open(folder) as project:
        return decide(project.parts, candidate)


def unseen(found: Decided) -> list[tuple[str, str]]:
    return [(one.outcome, one.text) for one in found.decision.reasons if one.rule == "unseen"]


def test_a_gate_decides_on_the_rest_and_a_pass_ends_when_more_leaks(rooms: Path) -> None:
    learn(rooms, 0)
    found = decided(rooms)
    assert (found.decision.outcome, unseen(found)) == ("promote", [])
    learn(rooms, 4)
    found = decided(rooms)
    assert found.decision.outcome == "promote"
    assert unseen(found) == [("promote", "4 of 40 cases are in the training data too (web.jsonl) and left out.")]
    [floor] = [one for one in found.decision.reasons if one.rule == "floor"]
    assert "over 36 of 36 cases" in floor.text
    learn(rooms, 6)
    with gw.open(rooms) as project:
        with pytest.raises(UserError, match=r"what leaked into suite rooms changed since row \d+; run it again"):
            releasing.promote(project.parts, "main", "main")
        learn(rooms, 0)
        with pytest.raises(UserError, match=r"what leaked into suite rooms changed since row \d+"):
            releasing.promote(project.parts, "main", "main")
        learn(rooms, 4)
        with torn(rooms), pytest.raises(UserError, match=r"could not be read: .*torn\.toml is not valid TOML"):
            releasing.promote(project.parts, "main", "main")
        assert releasing.promote(project.parts, "main", "main").action == "promote"


def test_what_was_learned_by_heart_passes_no_gate(rooms: Path) -> None:
    learn(rooms, 25)
    found = decided(rooms, "same")
    assert (found.decision.outcome, found.cases) == ("inconclusive", 0), "nobody is asked what cannot pass"
    assert unseen(found)[0][1].endswith("That is more than half: add cases that nothing was trained on.")


@contextmanager
def torn(folder: Path) -> Iterator[None]:
    """While a suite of the project cannot be read."""
    path = folder / "suites" / "torn.toml"
    path.write_text("split = train\n", encoding="utf-8")
    try:
        yield
    finally:
        path.unlink()


def test_a_suite_that_cannot_be_read_leaves_the_gate_open(rooms: Path) -> None:
    learn(rooms, 0)
    with torn(rooms):
        found = decided(rooms, "same")
    assert (found.decision.outcome, found.cases) == ("inconclusive", 0), "nobody is asked what cannot pass"
    [(outcome, text)] = unseen(found)
    assert outcome == "inconclusive"
    assert "torn.toml is not valid TOML" in text


def test_a_suite_that_was_learned_as_a_whole_says_nothing_against_anybody(rooms: Path) -> None:
    learn(rooms, 40)
    found = decided(rooms)
    assert found.decision.outcome == "inconclusive", "it is a fault of the suite"
    [reason] = found.decision.reasons
    assert reason.text.startswith("40 of 40 cases are in the training data too (web.jsonl) and left out.")


def test_a_slice_that_was_learned_as_a_whole_is_not_passed_over(tmp_path: Path) -> None:
    home = make(tmp_path, gate="slices = { inclusion = 0.1 }\n", more=WORDS_ONLY)
    toml = home / "suites" / "rooms.toml"
    toml.write_text(f'{toml.read_text(encoding="utf-8")}trained_on = ["web.jsonl"]\n', encoding="utf-8")
    learn(home, 19, "seats")
    assert not [one for one in judged_against(home) if one.rule == "unseen" and one.slice]
    learn(home, 20, "seats")
    [lost] = [one for one in judged_against(home) if one.slice == "seats"]
    assert (lost.rule, lost.outcome) == ("unseen", "inconclusive")
    assert lost.text.startswith("Every case of 'seats' is left out, so nothing is known of it")


def judged_against(folder: Path) -> tuple[Reason, ...]:
    with gw.open(folder) as project:
        return decide(project.parts, "main", against="deaf").decision.reasons


def test_a_failure_on_a_case_that_leaked_is_a_failure(tmp_path: Path) -> None:
    picky = '[metric.picky]\nuse = "python"\nfunction = "picky_of_leaks:picky"\n'
    home = make(tmp_path, gate=FLOOR, more=WORDS_ONLY + picky, metrics='"inclusion", "picky"')
    fails = 'def picky(case, answer):\n    assert "amber" not in case.question\n    return 1.0\n'
    (home / "picky_of_leaks.py").write_text(fails, encoding="utf-8")
    toml = home / "suites" / "rooms.toml"
    toml.write_text(f'{toml.read_text(encoding="utf-8")}trained_on = ["web.jsonl"]\n', encoding="utf-8")
    learn(home, 2)
    found = decided(home)
    assert found.decision.outcome == "reject"
    [failed] = [one for one in found.decision.reasons if one.rule == "answered"]
    assert failed.text.startswith("2 of 40 cases got no answer or no score; all need one. The first: ")


# --- what the candidate did learn from, whatever the suites hold by now ---


def learned_before(parts: Parts) -> tuple[str, str]:
    """Two versions: of a suite that is gone, and of a file of the tuning API; then their cases are held out."""
    folder, home = parts.config.root / "suites", parts.config.root
    for suffix in ("jsonl", "toml"):
        (folder / f"rooms.{suffix}").rename(home / f"rooms.{suffix}")
    asked = [f"What is the code of the door of the {room} room!" for room in ("amber", "birch", "cedar")]
    lines = "".join(json.dumps({"question": one, "references": ["1"]}) + "\n" for one in asked)
    (folder / "study.jsonl").write_text(lines, encoding="utf-8")
    (folder / "study.toml").write_text('metrics = ["inclusion"]\nsplit = "train"\n', encoding="utf-8")
    study = freezing.freeze(parts, freezing.Wanted(suite="study"), encoder=None).dataset
    said = [("user", "How many people does the elm room seat!"), ("assistant", "9")]
    sent = json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}).encode() + b"\n"
    file = client_files.keep(parts.engine, parts.objects, io.BytesIO(sent), name="mine.jsonl", key="ada")
    theirs = client_files.frozen(parts, file.id)
    client_files.remove(parts.engine, parts.objects, file.id, key="ada")
    for path in (*folder.glob("study.*"), folder / "study.card.md"):
        path.unlink(missing_ok=True)
    for suffix in ("jsonl", "toml"):
        (home / f"rooms.{suffix}").rename(folder / f"rooms.{suffix}")
    return study.id, theirs.id


def made_of(parts: Parts, id_: str, meta: Mapping[str, Any]) -> None:
    with parts.engine.begin() as connection:
        row = {"id": id_, "kind": "adapter", "created": 1.0, "run": "", "bytes": 1, "meta": meta}
        connection.execute(insert(artifacts).values(**row))


def test_what_a_candidate_learned_is_left_out_though_no_suite_has_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make(tmp_path, gate=FLOOR, more=WORDS_ONLY)
    with gw.open(home) as project:
        parts = project.parts
        study, theirs = learned_before(parts)
        assert unseen(decide(parts, "main")) == []
        variant = project.variant()
        [weights] = tainting.weights_of(variant.recipe)
        made_of(parts, "a" * 64, {"dataset": study})
        made_of(parts, weights, {"dataset": "", "validation": theirs, "base": {"sha256": "a" * 64}})
        found = decide(parts, "main")
        [(outcome, text)] = unseen(found)
        assert outcome == "promote"
        assert text.startswith("4 of 40 cases are in the training data too (dataset ")
        assert f"dataset study {study[:12]}" in text
        assert "dataset file-" in text
        kept = reports.get(parts.engine, project.evaluate(Wanted(suite="rooms")).id)
        told = leaks.of_report(parts, kept)
        assert (len(told.cases), len(told.sources)) == (4, 2)
        assert releasing.promote(parts, "main", "main").action == "promote"

        compared: list[str] = []

        def common(cases: Any, others: Mapping[str, Any], **how: Any) -> Any:
            compared.extend(others)
            return found_in(cases, others, **how)

        found_in = sides.common
        monkeypatch.setattr(sides, "common", common)
        (home / "suites" / "late.jsonl").write_text('{"question": "Where is the ferry?"}\n', encoding="utf-8")
        (home / "suites" / "late.toml").write_text('metrics = ["inclusion"]\nsplit = "train"\n', encoding="utf-8")
        assert leaks.of_report(parts, kept).hits == told.hits
        assert compared == ["late"], "a version never changes, so nothing is compared with it again"

        parts.objects.path(study).unlink()
        shown = leaks.learned(parts, [], beside=variant)
        assert [one.version for one in shown] == [theirs], "an incumbent that knows more is only harder to beat"
        (home / ".gatewheel" / leaks.FOLDER).rename(home / "elsewhere")
        [lost] = leaks.of_report(parts, kept).unread
        assert lost.reason.startswith(f"dataset study {study[:12]}, which was learned, is no more")
        found = decide(parts, "same")
        assert (found.decision.outcome, found.cases) == ("inconclusive", 0)
