"""A suite into which something leaked: its figures with and without, and a gate that decides on the rest."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatewheel as gw
from examinee import Examinee, examinee, project, suite
from gatewheel.data import cases as case_files
from gatewheel.data import leak_sources
from gatewheel.data.leak_sources import EXAMPLES
from gatewheel.evals.metrics.classes import Settings as Classes
from gatewheel.evals.metrics.macro_f1 import create as macro_f1
from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.statistics.intervals import Interval
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.kernel.ports import Metric
from gatewheel.loop import leaks, reports
from gatewheel.loop.comparing import compared
from gatewheel.loop.evaluate import Wanted, metrics_of
from gatewheel.loop.leaks import clean
from gatewheel.loop.project import Project
from gatewheel.loop.reports import Asked, Kept
from gatewheel.loop.showing import comparison, shown
from gatewheel.loop.without import without

WORDS_ONLY = '[encoder.main]\nuse = "none"\n'
RIGHT: Mapping[str, Metric] = {"right": Mean(lambda _case, _answer: 0.0)}
LONG = "which of the seven towers of the old town was the first that the masons of the guild built in stone"
PLANTED = f"And tell me, {LONG}?"


def rule(question: str) -> str:
    """The model knows what leaked and is right on every fourth of the others."""
    number = int(question.split()[-1].strip("?")) if question.split()[-1].strip("?").isdigit() else 0
    return "right" if "towers" in question or number % 4 == 0 else "wrong"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Examinee]:
    with examinee(rule) as one:
        yield one


def exam(n: int) -> list[Case]:
    asked = [f"What is written on the page with the number {at}?" for at in range(n)]
    return [Case(id=f"c{at}", question=text, references=("right",)) for at, text in enumerate(asked)]


@pytest.fixture
def home(tmp_path: Path, endpoint: Examinee) -> Path:
    """Twelve questions, of which two stand in what is trained on."""
    folder = project(tmp_path / "home", endpoint.url, more=WORDS_ONLY)
    planted = [
        Case(id="p0", question=PLANTED, references=("right",)),
        Case(id="p1", question=f"{LONG}?!", references=("right",)),
    ]
    suite(folder, [*exam(10), *planted], metrics=["exact-match"], trained_on=["web.jsonl"])
    case_files.write(
        folder / "suites" / "web.jsonl", [Case(id="w", question=f"It says: {LONG}, as everybody knows by heart.")]
    )
    return folder


def evaluated(opened: Project) -> Kept:
    return reports.get(opened.parts.engine, opened.evaluate(Wanted(suite="exam")).id)


def test_figures_are_told_with_and_without_what_leaked(home: Path) -> None:
    with gw.open(home) as opened:
        kept = evaluated(opened)
        found = leaks.of_report(opened.parts, kept)
        assert {(hit.case, hit.source, hit.kind) for hit in found.hits} == {
            ("p0", "web.jsonl", "run"),
            ("p1", "web.jsonl", "run"),
        }
        assert found.vectors is False
        metrics = metrics_of(opened.parts, ["exact-match"])
        shape = shown(opened.parts.engine, kept, metrics, leaks=found)
        assert (shape.leaks.cases, shape.leaks.sources, shape.leaks.unread) == (2, ["web.jsonl"], [])
        [one] = shape.without
        assert (one.every.cases, one.rest.cases, one.hits) == (12, 10, 2)
        assert one.every.value == pytest.approx(5 / 12)
        assert one.rest.value == pytest.approx(3 / 10)
        assert one.difference == pytest.approx(5 / 12 - 3 / 10)
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.difference < one.high
        again = comparison(kept, kept, compared(kept, kept, metrics, hits=found.cases), (), margin=0.02, leaks=found)
        assert [(row.metric, row.cases) for row in again.without] == [("exact-match", 10)]
        assert again.leaks == shape.leaks


def test_nothing_is_told_where_nothing_is_trained_on(home: Path) -> None:
    (home / "suites" / "web.jsonl").unlink()
    text = (home / "suites" / "exam.toml").read_text(encoding="utf-8").replace('trained_on = ["web.jsonl"]\n', "")
    (home / "suites" / "exam.toml").write_text(text, encoding="utf-8")
    with gw.open(home) as opened:
        kept = evaluated(opened)
        assert leaks.of_report(opened.parts, kept) == leaks.NONE
        assert not (home / ".gatewheel" / leaks.FOLDER).exists()


def test_what_somebody_adds_by_hand_is_found_in_the_reports_that_there_are(home: Path) -> None:
    with gw.open(home) as opened:
        kept = evaluated(opened)
        first = leaks.of_report(opened.parts, kept)
        near = "What is written on the page with the number 7, please?"
        suite(home, [Case(id="n", question=near)], name="later", split="train")
        found = leaks.of_report(opened.parts, kept)
        assert found.cases > first.cases
        assert {hit.case for hit in found.hits if hit.source == "later"} == {"c7"}
        assert set(found.where) == {"web.jsonl", "later"}


def test_examples_and_files_of_the_moment_are_sources_too(home: Path, tmp_path: Path) -> None:
    shown_case = Case(id="e", question=f"So: {LONG}?", references=("right",))
    case_files.write(home / "suites" / "shown.jsonl", [shown_case])
    suite(home, [*exam(4), Case(id="p", question=PLANTED, references=("right",))], few_shot=1, examples="shown.jsonl")
    more = tmp_path / "more.csv"
    more.write_text("question\nWhat is written on the page with the number 2?\n", encoding="utf-8")
    with gw.open(home) as opened:
        kept = evaluated(opened)
        assert {(hit.case, hit.source) for hit in leaks.of_report(opened.parts, kept).hits} == {("p", EXAMPLES)}
        found = leaks.of_report(opened.parts, kept, against=[more])
        assert {(hit.case, hit.source) for hit in found.hits} == {("p", EXAMPLES), ("c2", "more.csv")}


def test_a_report_outlives_its_suite(home: Path) -> None:
    with gw.open(home) as opened:
        kept = evaluated(opened)
        suite(home, [Case(id="n", question=f"{LONG}?")], name="learned", split="train")
        (home / "suites" / "exam.toml").unlink()
        assert leaks.of_report(opened.parts, kept).cases == {"p0", "p1"}


def test_what_was_found_is_kept_until_something_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gw.open(home) as opened:
        kept = evaluated(opened)
        first = leaks.of_report(opened.parts, kept)
        monkeypatch.setattr(leaks.sides, "common", None)
        assert leaks.of_report(opened.parts, kept) == first
        assert leaks.of_report(opened.parts, kept, patient=False) == first
        path = home / "suites" / "web.jsonl"
        case_files.write(path, [Case(id="w", question="Something else")])
        with pytest.raises(TypeError):
            leaks.of_report(opened.parts, kept)
        monkeypatch.undo()
        assert not leaks.of_report(opened.parts, kept).hits


def test_only_so_many_findings_are_kept_and_a_torn_one_is_made_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "KEPT", 2)
    with gw.open(home) as opened:
        kept = evaluated(opened)
        for at in range(4):
            case_files.write(home / "suites" / "web.jsonl", [Case(id="w", question=f"{LONG} {at}")])
            assert leaks.of_report(opened.parts, kept).cases == {"p0", "p1"}
            for place, file in enumerate(sorted((home / ".gatewheel" / leaks.FOLDER).glob("*.json"))):
                os.utime(file, (time.time() - 60 + place,) * 2)
        files = list((home / ".gatewheel" / leaks.FOLDER).glob("*.json"))
        assert len(files) == 2
        for file in files:
            file.write_text('{"hits": [{', encoding="utf-8")
        assert leaks.of_report(opened.parts, kept).cases == {"p0", "p1"}


def test_a_source_that_cannot_be_read_is_told_each_time_and_compared_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite(home, [Case(id="n", question=f"{LONG}?")], name="torn", split="train")
    (home / "suites" / "torn.jsonl").write_text("no json\n", encoding="utf-8")
    with gw.open(home) as opened:
        kept = evaluated(opened)  # and it stopped nobody
        for compares in (True, False):
            found = leaks.of_report(opened.parts, kept)
            assert found.cases == {"p0", "p1"}
            assert ["torn.jsonl, line 1" in one.reason for one in found.unread] == [True]
            if compares:
                monkeypatch.setattr(leaks.sides, "common", None)
        read = leak_sources.read  # as if a library were there by now, and not the file another one
        monkeypatch.setattr(leaks.leak_sources, "read", lambda every: ({**read(every)[0], "torn": ()}, []))
        with pytest.raises(TypeError):
            leaks.of_report(opened.parts, kept)


def test_vectors_find_what_words_do_not_and_who_cannot_wait_gets_them_when_there_is_little_to_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = home / "gatewheel.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace(WORDS_ONLY, ""), encoding="utf-8")
    suite(
        home,
        [Case(id="v", question="Who wrote the first computer program?", references=("x",))],
        trained_on=["web.jsonl"],
    )
    case_files.write(
        home / "suites" / "web.jsonl", [Case(id="w", question="Who was it that wrote the first computer program?")]
    )
    with gw.open(home) as opened:
        kept = evaluated(opened)
        monkeypatch.setattr(leaks, "AT_ONCE", 1)
        hasty = leaks.of_report(opened.parts, kept, patient=False)
        assert (hasty.vectors, hasty.cases) == (False, frozenset())
        monkeypatch.undo()
        for patient in (True, False):
            found = leaks.of_report(opened.parts, kept, patient=patient)
            assert (found.vectors, [hit.kind for hit in found.hits]) == (True, ["vector"])
        monkeypatch.setattr(leaks, "AT_ONCE", 0)
        assert leaks.of_report(opened.parts, kept, patient=False).cases == {"v"}  # by what is kept


# --- statistics ---


def report(values: Sequence[float], clusters: Sequence[str] = ()) -> Report:
    rows = tuple(
        Scored(case=f"c{at}", values={"right": (value,)}, cluster=clusters[at] if clusters else "")
        for at, value in enumerate(values)
    )
    return Report(id="r", created=0.0, suite="s", suite_id="s", variant="v", corpus="", rows=rows)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=30))
def test_the_difference_is_that_of_both_figures_and_its_interval_holds_it(rows: list[tuple[bool, float]]) -> None:
    hits = {f"c{at}" for at, (hit, _) in enumerate(rows) if hit}
    found = without(report([value for _, value in rows]), dict(RIGHT), hits)
    if not hits:
        assert found == []
        return
    [one] = found
    assert one.every.n == len(rows)
    assert one.rest.n == len(rows) - len(hits)
    assert one.hits == len(hits)
    assert one.every.value == pytest.approx(np.mean([value for _, value in rows]))
    if one.rest.n:
        assert one.rest.value == pytest.approx(np.mean([value for hit, value in rows if not hit]))
        assert one.interval.low - 1e-9 <= one.difference <= one.interval.high + 1e-9
    else:
        assert np.isnan(one.difference)
        assert one.interval.low == -np.inf


def test_the_interval_covers_what_the_hits_add_to_the_figure() -> None:
    dice, covered, trials = np.random.default_rng(0), 0, 1_000
    n, share, rest, known = 120, 0.15, 0.55, 0.9
    hits = {f"c{at}" for at in range(int(n * share))}
    truth = share * (known - rest)
    for _ in range(trials):
        values = [float(dice.random() < (known if f"c{at}" in hits else rest)) for at in range(n)]
        [one] = without(report(values), dict(RIGHT), hits)
        covered += one.interval.low <= truth <= one.interval.high
    assert 0.93 <= covered / trials <= 0.985  # 95 %; 1.4 points are four standard errors of the simulation


def test_one_hit_leaves_it_open_whether_it_helped() -> None:
    [one] = without(report([1.0, *[1.0, 0.0] * 30]), dict(RIGHT), {"c0"})
    assert one.difference > 0
    assert one.interval.low < 0


def test_a_figure_that_is_no_mean_needs_more_hits_to_be_told_apart() -> None:
    metric = macro_f1(Classes())
    dice = np.random.default_rng(1)

    def told(hits: int) -> Interval:
        rows = []
        for at in range(200):
            right = float(dice.integers(2))
            said = right if at < hits or dice.random() < 0.5 else 1 - right
            rows.append(Scored(case=f"c{at}", values={"right": (said, right)}))
        made = replace(report([]), rows=tuple(rows))
        [one] = without(made, {"right": metric}, {f"c{at}" for at in range(hits)})
        assert one.difference > 0
        return one.interval

    few, many = told(4), told(60)
    assert (few.low, few.high) == (-np.inf, np.inf)
    assert 0 < many.low < many.high < 1


def test_the_clean_rows_are_those_of_the_others() -> None:
    made = report([1.0, 0.0, 1.0])
    assert [row.case for row in clean(made, {"c1"}).rows] == ["c0", "c2"]
    assert clean(made, ()) is made


def test_a_comparison_without_the_hits_judges_the_rest() -> None:
    before, after = report([0.0] * 60), report([1.0] * 20 + [0.0] * 40)
    asked = {f"c{at}": Asked(question=f"q{at}", expected=(), key=f"k{at}", corpus="") for at in range(60)}
    a, b = (Kept(report=one, target="app main", run="", cases=asked) for one in (before, replace(after, variant="w")))
    found = compared(a, b, dict(RIGHT), hits={f"c{at}" for at in range(20)})
    assert found.rows[0].conclusion.word == "better"
    assert [(row.a.n, row.paired.difference, row.conclusion.word) for row in found.without] == [
        (40, 0.0, "inconclusive")
    ]
    assert compared(a, b, dict(RIGHT)).without == ()


def test_findings_are_plain_json(home: Path) -> None:
    with gw.open(home) as opened:
        leaks.of_report(opened.parts, evaluated(opened))
    [file] = (home / ".gatewheel" / leaks.FOLDER).glob("*.json")
    assert json.loads(file.read_text(encoding="utf-8"))["sources"] == ["web.jsonl"]
