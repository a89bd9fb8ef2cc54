"""Two reports side by side: pairs by case, a verdict to rely on, slices, flips, and what a suite can tell before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examinee import numbered
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case, Report, Scored
from gatewheel.kernel.ports import Metric
from gatewheel.kernel.store.database import open_database
from gatewheel.loop import reports
from gatewheel.loop.columns import aligned, column, is_binary
from gatewheel.loop.comparing import compared, figures, flips, picked
from gatewheel.loop.detecting import detectable
from gatewheel.loop.reports import Asked, Kept


def found(case: Case, answer: Answer) -> float:
    return float(answer.answer in case.references)


RIGHT = Mean(found)
SLOW = Mean(lambda _case, answer: answer.seconds, better="lower", bounds=(0.0, float("inf")))
METRICS: dict[str, Metric] = {"right": RIGHT}


def report(
    values: Mapping[str, Sequence[float | None]], *, variant: str = "v", suite_id: str = "s", **row: object
) -> Kept:
    """Scores of cases c0, c1, … by metric; `tags` and `clusters` are those of each case."""
    tags: Sequence[tuple[str, ...]] = row.get("tags", ())  # type: ignore[assignment]
    clusters: Sequence[str] = row.get("clusters", ())  # type: ignore[assignment]
    n = len(next(iter(values.values())))
    rows = tuple(
        Scored(
            case=f"c{at}",
            values={name: None if (one := each[at]) is None else (one,) for name, each in values.items()},
            tags=tags[at] if tags else (),
            cluster=clusters[at] if clusters else "",
        )
        for at in range(n)
    )
    made = Report(id=variant * 8, created=1.0, suite="exam", suite_id=suite_id, variant=variant, corpus="", rows=rows)
    asked = {f"c{at}": Asked(question=f"q{at}", expected=(), key=f"k{at}", corpus="") for at in range(n)}
    return Kept(report=made, target="app main", run="", cases=asked)


def scores(right: int, of: int) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


def test_who_wins_far_more_cases_than_it_loses_is_better_and_the_other_worse() -> None:
    a, b = report({"right": scores(30, 80)}), report({"right": scores(55, 80)}, variant="w")
    [row] = compared(a, b, METRICS).rows
    assert row.conclusion.word == "better"
    assert (row.a.value, row.b.value) == (0.375, 0.6875)
    assert (row.paired.wins, row.paired.losses, row.paired.ties) == (25, 0, 55)
    assert row.paired.test == "exact McNemar"
    assert row.p < 1e-6
    assert compared(b, a, METRICS).rows[0].conclusion.word == "worse"


def test_a_lower_figure_is_better_where_low_is_good() -> None:
    slow = report({"slow": [2.0 + at % 3 for at in range(40)]})
    fast = report({"slow": [1.0 + at % 3 - at % 5 / 10 for at in range(40)]}, variant="w")
    assert compared(slow, fast, {"slow": SLOW}).rows[0].conclusion.word == "better"


def test_the_same_answers_are_equivalent_once_there_are_enough_and_else_it_says_how_many() -> None:
    few, many = ({"right": scores(n // 2, n)} for n in (50, 500))
    [row] = compared(report(few), report(few, variant="w"), METRICS).rows
    assert row.conclusion.word == "inconclusive"
    assert row.conclusion.cases_needed is not None
    assert row.conclusion.cases_needed > 50
    assert compared(report(many), report(many, variant="w"), METRICS).rows[0].conclusion.word == "equivalent"


def test_among_many_metrics_a_lucky_one_is_not_called_better() -> None:
    lucky = {"right": scores(30, 60)}, {"right": [*scores(36, 60)[:36], *scores(0, 24)]}
    assert compared(report(lucky[0]), report(lucky[1], variant="w"), METRICS).rows[0].conclusion.word == "better"
    others = {f"m{at}": scores(30, 60) for at in range(9)}
    metrics: dict[str, Metric] = {"right": RIGHT, **dict.fromkeys(others, RIGHT)}
    rows = compared(report(lucky[0] | others), report(lucky[1] | others, variant="w"), metrics).rows
    assert rows[0].p == pytest.approx(10 * rows[0].paired.p)
    assert rows[0].conclusion.word == "inconclusive"
    assert rows[0].conclusion.cases_needed is not None


def test_a_case_that_only_one_has_a_score_of_takes_no_part() -> None:
    a, b = report({"right": [1.0, None, 0.0, 1.0]}), report({"right": [0.0, 1.0, None, 1.0]}, variant="w")
    [row] = compared(a, b, METRICS).rows
    assert (row.paired.n, row.a.value, row.b.value) == (2, 1.0, 0.5)
    assert [one.n for one in figures(a.report, METRICS)] == [3]


def test_reports_of_other_cases_are_not_compared() -> None:
    with pytest.raises(UserError, match=r"of different suites.*gatewheel evals run exam"):
        compared(report({"right": [1.0]}), report({"right": [1.0]}, suite_id="t"), METRICS)


def test_slices_have_their_own_verdict_and_what_all_share_is_none() -> None:
    tags = [("all", "new" if at < 50 else "old") for at in range(100)]
    a = report({"right": scores(0, 50) + scores(25, 50)}, tags=tags)
    b = report({"right": scores(40, 50) + scores(25, 50)}, variant="w", tags=tags)
    rows = {row.slice: row for row in compared(a, b, METRICS).slices}
    assert rows.keys() == {"new", "old"}
    assert rows["new"].conclusion.word == "better"
    assert rows["old"].paired.difference == 0


def test_cases_of_one_cluster_say_less_than_as_many_of_their_own() -> None:
    a, b = scores(0, 40), scores(10, 40)
    clusters = [f"d{at // 10}" for at in range(40)]
    [alone] = compared(report({"right": a}), report({"right": b}, variant="w"), METRICS).rows
    [held] = compared(
        report({"right": a}, clusters=clusters), report({"right": b}, variant="w", clusters=clusters), METRICS
    ).rows
    assert held.paired.clusters == 4
    assert alone.conclusion.word == "better"
    assert held.conclusion.word == "inconclusive"


def test_flips_are_what_crossed_the_middle_the_largest_first() -> None:
    a = report({"right": [0.9, 0.4, 0.1, 0.0, 1.0]})
    b = report({"right": [0.8, 0.6, 0.9, 0.4, 0.0]}, variant="w")
    crossed = flips(a.report, b.report, "right", RIGHT)
    assert [(flip.case, flip.a, flip.b) for flip in crossed] == [("c4", 1.0, 0.0), ("c2", 0.1, 0.9), ("c1", 0.4, 0.6)]
    assert flips(report({"slow": [1.0]}).report, report({"slow": [9.0]}).report, "slow", SLOW) == []


def test_a_metric_that_a_report_has_not_is_a_mistake() -> None:
    one = report({"right": [1.0]}).report
    assert picked(one, ()) == picked(one, ["right"]) == ["right"]
    with pytest.raises(UserError, match="no metric 'rigth'; did you mean 'right'"):
        picked(one, ["rigth"])


ONE = st.floats(0, 1, width=16)
ASKED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.none() | st.tuples(ONE)), unique_by=lambda x: x[:2])


def of(rows: Sequence[tuple[int, int, tuple[float, ...] | None]]) -> Report:
    scored = tuple(Scored(case=f"c{case}", repeat=repeat, values={"m": values}) for case, repeat, values in rows)
    return Report(id="r", created=0, suite="s", suite_id="s", variant="v", corpus="", rows=scored)


@given(ASKED, ASKED)
def test_repeats_are_one_row_and_pairs_are_of_the_same_case(a: list[tuple], b: list[tuple]) -> None:  # type: ignore[type-arg]
    left, right = aligned(of(a), of(b), "m")
    assert left.cases == right.cases
    assert len(set(left.cases)) == len(left.cases) == len(left.rows)
    for case, row in zip(left.cases, left.rows, strict=True):
        values = [each[2][0] for each in a if f"c{each[0]}" == case and each[2]]
        assert row[0] == pytest.approx(np.mean(values))
    assert set(left.cases) == set(column(of(a), "m").cases) & set(column(of(b), "m").cases)


def test_several_numbers_a_case_have_no_mean_so_a_repeated_case_is_a_cluster() -> None:
    rows = [(0, 0, (1.0, 2.0)), (0, 1, (3.0, 4.0)), (1, 0, (5.0, 6.0))]
    one = column(of(rows), "m")
    assert one.rows.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert one.clusters[0] == one.clusters[1] != one.clusters[2]
    assert not is_binary(RIGHT, one)


def test_a_metric_whose_figure_is_a_distance_has_an_interval_of_its_own() -> None:
    rows = of([(at, 0, (float(at % 2), 1.0)) for at in range(200)])
    module = catalog.load("metric", "crows-pairs")
    [found] = figures(rows, {"m": module.create(module.Settings())}, level=0.95)
    assert (found.value, found.interval.low) == (0, 0)
    assert 0.06 < found.interval.high < 0.08


def test_what_a_suite_can_tell_shrinks_with_cases_and_with_what_earlier_reports_teach(tmp_path: Path) -> None:
    engine = open_database(tmp_path)

    def smallest(n: int) -> tuple[float | None, str]:
        [one] = detectable(engine, "s", numbered(n), METRICS)
        assert (one.metric, one.cases) == ("right", n)
        return one.difference, one.basis

    assert smallest(3) == (None, "too few cases")
    worst, basis = smallest(100)
    assert (worst, basis) == (pytest.approx(0.2, abs=0.01), "worst case")
    assert smallest(400)[0] == pytest.approx(0.1, abs=0.005)
    reports.keep(engine, report({"right": scores(90, 100)}))
    one, basis = smallest(100)
    assert basis == "one report"
    reports.keep(engine, report({"right": scores(93, 100)}, variant="w"))
    two, basis = smallest(100)
    assert basis == "two reports"
    assert two is not None
    assert one is not None
    assert worst is not None
    assert two < one < worst
    engine.dispose()


def test_two_reports_that_hardly_differ_promise_no_more_than_their_comparison_shows(tmp_path: Path) -> None:
    engine, metric = open_database(tmp_path), Mean(lambda _case, _answer: None)
    values = [0.1 * (at % 8) + 0.1 for at in range(22)]
    reports.keep(engine, report({"graded": values}))
    reports.keep(engine, report({"graded": [values[0] + 0.05, *values[1:]]}, variant="w"))
    left, right = (reports.get(engine, one.id) for one in reports.heads(engine, limit=2))
    [row] = compared(left, right, {"graded": metric}).rows
    [found] = detectable(engine, "s", numbered(22), {"graded": metric})
    assert found.basis == "two reports"
    assert found.difference is not None
    assert found.difference > (row.paired.interval.high - row.paired.interval.low) / 2
    engine.dispose()


def test_a_case_to_which_a_metric_does_not_apply_is_not_counted(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    picky = Mean(lambda case, _: 1.0 if case.references else None)
    cases = [*numbered(30), *(Case(id=f"n{at}", question=f"n{at}") for at in range(20))]
    assert detectable(engine, "s", cases, {"picky": picky})[0].cases == 30
    engine.dispose()


def test_of_many_cases_some_tell_to_how_many_a_metric_applies(tmp_path: Path) -> None:
    engine, asked = open_database(tmp_path), list[str]()

    def picky(case: Case, _: object) -> float | None:
        asked.append(case.id)
        return 1.0 if case.references else None

    cases = [*numbered(600), *(Case(id=f"n{at}", question=f"n{at}") for at in range(400))]
    [found] = detectable(engine, "s", cases, {"picky": Mean(picky)})
    assert len(asked) == 200
    assert found.cases == pytest.approx(600, abs=120)
    engine.dispose()
