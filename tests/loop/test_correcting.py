"""A judge in a gate: never raw, never before it is admitted, and corrected by what people say of the same answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import gatewheel as gw
from examinee import Examinee, examinee
from gatewheel.cli.main import run
from gatewheel.data import suites
from gatewheel.evals.people import Item, Label
from gatewheel.kernel.errors import UserError
from gatewheel.loop import golden as golden_sets
from gatewheel.loop import labelling, probation, reports
from gatewheel.loop.beside import beside
from gatewheel.loop.choosing import choice
from gatewheel.loop.evaluate import Wanted, put
from gatewheel.loop.gating import decide
from gatewheel.loop.releasing import promote, refused
from gatewheel.loop.serving import as_served
from gating import make
from judged import JUDGE, agreeing, golden, grading, stars

OTHER = '\n[model.other]\nuse = "openai"\nmodel = "o"\nbase_url = "{url}"\nmax_retries = 0\n\n'
SUITE = '"helpful", "inclusion"'


def worth(text: str) -> int:
    """What people think of an answer: nothing of an abstention, more of larger numbers."""
    numbers = [int(found) for found in re.findall(r"\d+", re.sub(r"\[\d+\]", "", text))]
    return 2 + numbers[0] % 3 if numbers else 1


def kind(text: str) -> int:
    """The judge is kinder than people to every second answer; of the golden set it says the same as they."""
    return stars(text) if "answer" in text else min(4, worth(text) + len(text) % 2)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(grading(kind)) as one:
        yield one


def court(folder: Path, url: str, gate: str) -> Path:
    make(folder, gate=gate, more=OTHER.format(url=url) + JUDGE, metrics=SUITE)
    (folder / "helpful.md").write_text("4: large numbers. 1: none.\n", encoding="utf-8")
    golden(folder, agreeing())
    return folder


def told(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    run(["-C", str(folder), *arguments, "--json"])
    said = capsys.readouterr()
    found: dict[str, Any] = json.loads(said.out or said.err.splitlines()[-1])
    return found


def gate(folder: Path, candidate: str, **said: str) -> dict[str, Any]:
    with gw.open(folder) as project:
        decided = decide(project.parts, candidate, **said)
    reasons = [asdict(one) for one in decided.decision.reasons]
    return {**asdict(decided), "outcome": decided.decision.outcome, "reasons": reasons}


def admit(folder: Path) -> None:
    with gw.open(folder) as project:
        assert probation.measure(project.parts, "helpful").record.passed


def grade(folder: Path, *targets: str, cases: int) -> None:
    """What two people say of the answers to the first so many cases, in an order that means nothing."""
    with gw.open(folder) as project:
        engine = project.parts.engine
        known = labelling.known(engine, "rooms")
        for target in targets:
            sides = labelling.sides(labelling.report(known, target))
            for key in sorted(sides)[:cases]:
                answer = labelling.answer(engine, key, sides[key])
                assert answer is not None
                for rater in ("Ada", "Bob"):
                    scores = {"helpful": float(worth(answer.answer))}
                    labelling.give(
                        engine, "rooms", Label(item=Item(case=key, a=sides[key]), rater=rater, scores=scores)
                    )


def regrade(folder: Path, target: str, given: float) -> str:
    """What one more person says of the first answer; the id of the label."""
    with gw.open(folder) as project:
        engine = project.parts.engine
        sides = labelling.sides(labelling.report(labelling.known(engine, "rooms"), target))
        item = Item(case=min(sides), a=sides[min(sides)])
        [made] = labelling.give(engine, "rooms", Label(item=item, rater="Eve", scores={"helpful": given}))
        return made


def left(folder: Path, candidate: str) -> str:
    """Why a candidate would not be released; empty where it would."""
    with gw.open(folder) as project, as_served(project.parts) as served:
        return refused(served, "main", candidate)


BETTER = "better = { helpful = 0.0 }\nnot_worse = { inclusion = 0.1 }\n"


def test_on_probation_it_passes_nobody_and_admitted_it_asks_for_people(
    tmp_path: Path, endpoint: Examinee, capsys: pytest.CaptureFixture[str]
) -> None:
    home = court(tmp_path, endpoint.url, BETTER)
    said = gate(home, "main", against="deaf")
    first = said["reasons"][0]
    assert (said["outcome"], first["outcome"], first["metric"]) == ("reject", "reject", "helpful")
    assert "helpful does not count: judge helpful is on probation: it was never measured" in first["text"]
    admit(home)
    said = gate(home, "main", against="deaf")
    first = said["reasons"][0]
    assert (said["outcome"], first["outcome"]) == ("inconclusive", "inconclusive")
    assert "raw it does not count: people graded both answers of 0 cases, and it takes 10" in first["text"]
    assert f"--a {said['candidate'][:12]} --b {said['incumbent'][:12]} --rubric helpful=1-4" in first["text"]
    grade(home, said["candidate"], said["incumbent"], cases=16)
    said = gate(home, "main", against="deaf")
    first = said["reasons"][0]
    assert said["outcome"] == "promote", said
    assert "people graded 16 of 40, the judge " in first["text"]
    assert gate(home, "deaf")["outcome"] == "reject"
    (home / "helpful.md").write_text("1: large numbers.\n", encoding="utf-8")
    said = gate(home, "main", against="deaf")
    assert "judge helpful has lapsed: its rubric has changed" in said["reasons"][0]["text"]
    assert said["outcome"] == "reject"


def test_only_grades_of_cases_that_count_are_counted(tmp_path: Path, endpoint: Examinee) -> None:
    home = court(tmp_path, endpoint.url, "floors = { helpful = 2.0 }\n")
    admit(home)
    gate(home, "main")
    grade(home, "main", cases=16)
    cases = suites.load(home, "rooms").cases
    learned = [case.question for case in sorted(cases, key=put)[:8]]
    lines = "".join(json.dumps({"question": question.upper()}) + "\n" for question in learned)
    (home / "suites" / "web.jsonl").write_text(lines, encoding="utf-8")
    with (home / "suites" / "rooms.toml").open("a", encoding="utf-8") as file:
        file.write('trained_on = ["web.jsonl"]\n')
    said = gate(home, "main")
    [reason] = [one for one in said["reasons"] if one["rule"] == "floor"]
    assert "people graded the answers to 8 cases, and it takes 10" in reason["text"]


def test_a_floor_is_held_against_what_people_would_say(
    tmp_path: Path, endpoint: Examinee, capsys: pytest.CaptureFixture[str]
) -> None:
    home = court(tmp_path, endpoint.url, "floors = { helpful = 3.3 }\n")
    admit(home)
    gate(home, "main")
    raw = told(home, capsys, "evals", "show", "main")["metrics"][0]
    assert raw["value"] > 3.3, "the judge alone would let it pass"
    assert raw["judged"] == "raw"
    grade(home, "main", cases=30)
    said = gate(home, "main")
    assert (said["outcome"], said["reasons"][0]["rule"]) == ("reject", "floor")
    assert "people graded 30 of 40" in said["reasons"][0]["text"]
    shown = told(home, capsys, "evals", "show", "main")["metrics"]
    assert [one["judged"] for one in shown if one["metric"] == "helpful"] == ["raw", "corrected"]
    assert shown[1]["value"] < shown[0]["value"]
    assert shown[1]["low"] < shown[1]["value"] < shown[1]["high"]


def test_compare_says_which_is_raw_and_which_is_corrected(
    tmp_path: Path, endpoint: Examinee, capsys: pytest.CaptureFixture[str]
) -> None:
    home = court(tmp_path, endpoint.url, BETTER)
    with gw.open(home) as project:
        for app in ("main", "deaf"):
            project.evaluate(Wanted(suite="rooms", app=app))
    grade(home, "main", "deaf", cases=20)
    said = told(home, capsys, "evals", "compare", "deaf", "main", "--metric", "helpful")
    raw, corrected = said["metrics"]
    assert (raw["judged"], corrected["judged"]) == ("raw", "corrected")
    assert raw["verdict"] == "inconclusive", "raw it is no finding, however far apart they are"
    assert (corrected["verdict"], corrected["cases"]) == ("better", 40)
    assert run(["-C", str(home), "evals", "compare", "deaf", "main", "--metric", "helpful"]) == 0
    out = capsys.readouterr().out
    assert "helpful, raw" in out
    assert "helpful, corrected" in out


def test_grades_of_another_answer_correct_nothing(tmp_path: Path, endpoint: Examinee) -> None:
    home = court(tmp_path, endpoint.url, BETTER)
    with gw.open(home) as project:
        assert golden_sets.labelled(project.parts.engine, "rooms", "helpful") == {}


def test_a_grade_off_the_scale_counts_for_nothing_and_is_named(
    tmp_path: Path, endpoint: Examinee, capsys: pytest.CaptureFixture[str]
) -> None:
    home = court(tmp_path, endpoint.url, "floors = { helpful = 2.0 }\n")
    admit(home)
    gate(home, "main")
    grade(home, "main", cases=20)
    assert gate(home, "main")["outcome"] == "promote"
    regrade(home, "main", 9.0)
    said = gate(home, "main")
    assert (said["outcome"], said["reasons"][0]["outcome"]) == ("inconclusive", "inconclusive")
    assert re.search(
        r"Eve gave case '\w+' of rooms 9 for helpful, which is not on the scale 1-4", said["reasons"][0]["text"]
    )
    shown = told(home, capsys, "evals", "show", "main")["metrics"]
    assert [one["judged"] for one in shown if one["metric"] == "helpful"] == ["raw"]


def test_a_pass_does_not_outlive_the_judge_and_the_grades_that_it_rests_on(tmp_path: Path, endpoint: Examinee) -> None:
    home = court(tmp_path, endpoint.url, "floors = { helpful = 2.0 }\n")
    admit(home)
    gate(home, "main")
    grade(home, "main", cases=20)
    assert gate(home, "main")["outcome"] == "promote"
    assert not left(home, "main")
    taken = regrade(home, "main", 1.0)
    assert "people's grades of these answers, changed since row" in left(home, "main")
    with gw.open(home) as project:
        labelling.take_back(project.parts.engine, taken)
    assert not left(home, "main"), "as if it had never been given"
    with gw.open(home) as project:
        probation.measure(project.parts, "helpful", again=True)
    assert "the measurement of a judge of [gate.main]" in left(home, "main")
    assert gate(home, "main")["outcome"] == "promote"
    assert not left(home, "main")
    (home / "helpful.md").write_text("1: large numbers.\n", encoding="utf-8")
    assert "changed since row" in left(home, "main") or "helpful has lapsed" in left(home, "main")
    with gw.open(home) as project, pytest.raises(UserError, match="judge helpful has lapsed: its rubric has changed"):
        promote(project.parts, "main", "main")


def test_nothing_ranks_or_marks_by_what_a_judge_says_raw(tmp_path: Path, endpoint: Examinee) -> None:
    home = court(tmp_path, endpoint.url, BETTER)
    with gw.open(home) as project:
        for app in ("main", "deaf"):
            project.evaluate(Wanted(suite="rooms", app=app))
        assert choice(project.parts, "rooms").metric == "inclusion", "the first one that is no judge"
        found = choice(project.parts, "rooms", metric="helpful", cost="seconds")
        kept = reports.recent(project.parts.engine, suite="rooms", limit=2)
        sides = beside(project.parts, kept).metrics[0]
    assert {one.front for one in found.candidates} == {None}
    assert [one.beaten_by for one in found.candidates] == [[], []]
    gap = found.candidates[1].gap
    assert gap is not None
    assert (gap.verdict, gap.cases_needed) == ("inconclusive", None)
    assert "raw that is no finding" in found.notes[0]
    judged = [one.judged for one in (*sides.figures, *sides.differences) if one]
    assert judged == ["raw", "raw", "raw"]
    out = home / "paper.html"
    assert run(["-C", str(home), "evals", "report", "main", "deaf", "--html", str(out)]) == 0
    assert "a judge's, raw" in out.read_text(encoding="utf-8").replace("&#39;", "'")
