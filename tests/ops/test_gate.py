"""The gate decides from what was measured: what is not shown does not pass, and every reason can be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gatewheel.kernel import config
from gatewheel.kernel.errors import ConfigError
from gatewheel.ops import gate
from gatewheel.ops.gate import Demand, Figure, Finding, Measurements, Settings

BETTER = Settings(suite="faq", better={"token-f1": 0.02})
MARGIN = Settings(suite="faq", not_worse={"seconds": 0.5})


def found(settings: Settings, low: float, high: float, *, at: int = 0, slices: Any = (), **said: Any) -> Finding:
    demand = said.pop("demand", None) or gate.demands(settings, slices)[at]
    gain = (low + high) / 2
    values = {"candidate": 0.6 + gain, "incumbent": 0.6, "gain": gain, "cases": 100}
    return Finding(demand=demand, low=low, high=high, shown=gate.shown(demand, low, high), **{**values, **said})


def measured(*findings: Finding, **said: Any) -> Measurements:
    figures = {one.demand.metric: Figure(value=one.candidate) for one in findings}
    return Measurements(**{"figures": figures, "cases": 100, "findings": findings, **said})


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.03, 0.09, "promote"), (-0.05, 0.01, "reject"), (-0.01, 0.05, "inconclusive"), (0.02, 0.05, "inconclusive")],
)
def test_better_has_to_be_shown_by_more_than_is_asked(low: float, high: float, outcome: str) -> None:
    decision = gate.decide(BETTER, measured(found(BETTER, low, high)))
    assert (decision.outcome, [reason.outcome for reason in decision.reasons]) == (outcome, [outcome])


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-0.5, 0.2, "promote"), (-2.0, -0.6, "reject"), (-0.6, 0.6, "inconclusive"), (0.0, 0.1, "promote")],
)
def test_not_worse_has_to_be_shown_within_the_margin(low: float, high: float, outcome: str) -> None:
    assert gate.decide(MARGIN, measured(found(MARGIN, low, high))).outcome == outcome


def test_every_slice_has_to_hold() -> None:
    settings = Settings(suite="faq", slices={"token-f1": 0.1})
    slices = ("billing", "legal")
    good, bad = (found(settings, *ends, at=at, slices=slices) for at, ends in enumerate([(0.0, 0.1), (-0.4, -0.2)]))
    decision = gate.decide(settings, measured(good, bad, slices=slices))
    assert [(reason.slice, reason.outcome) for reason in decision.reasons] == [
        ("billing", "promote"),
        ("legal", "reject"),
    ]
    assert "token-f1 on 'legal'" in decision.reasons[1].text
    assert decision.outcome == "reject"


@pytest.mark.parametrize(
    "settings",
    [
        BETTER,
        MARGIN,
        Settings(suite="faq", slices={"token-f1": 0.1}),
        Settings(suite="faq", floors={"token-f1": 0.0}),
        Settings(suite="faq", ceilings={"seconds": 99.0}),
    ],
    ids=["better", "not worse", "slices", "floor", "ceiling"],
)
@pytest.mark.parametrize("value", ["absent", None, math.nan])
@pytest.mark.parametrize("findings", [(), None], ids=["compared", "first release"])
def test_what_was_not_measured_never_passes(settings: Settings, value: Any, findings: Any) -> None:
    figures = {} if value == "absent" else {name: Figure(value=value) for name in settings.metrics}
    decision = gate.decide(settings, Measurements(figures=figures, cases=9, findings=findings, slices=("billing",)))
    assert decision.outcome == "reject"
    assert "not measured" in decision.reasons[0].text


def test_what_was_measured_but_not_of_both_never_passes() -> None:
    figures = {"token-f1": Figure(value=1.0)}
    for findings in ((), (found(BETTER, math.nan, math.nan),)):
        decision = gate.decide(BETTER, Measurements(figures=figures, cases=9, findings=findings))
        assert (decision.outcome, "could not be compared" in decision.reasons[0].text) == ("reject", True)


def test_limits_hold_for_the_figure_itself() -> None:
    settings = Settings(suite="faq", floors={"recall": 0.9}, ceilings={"seconds": 2.0})

    def outcome(recall: float, seconds: float) -> str:
        figures = {"recall": Figure(value=recall, low=0.5, high=1.0), "seconds": Figure(value=seconds)}
        return gate.decide(settings, Measurements(figures=figures, cases=9, findings=())).outcome

    assert [outcome(0.9, 2.0), outcome(0.89, 2.0), outcome(0.9, 2.01)] == ["promote", "reject", "reject"]


def test_what_answers_now_is_not_better_than_itself() -> None:
    decision = gate.decide(MARGIN, measured(found(MARGIN, 0.0, 0.0), unchanged=True))
    assert decision.outcome == "reject"
    assert "nothing has changed" in decision.reasons[0].text


def test_an_interval_without_width_shows_nothing_to_hold() -> None:
    for settings, gain, outcome in (
        (MARGIN, 0.0, "inconclusive"),
        (BETTER, 0.5, "inconclusive"),
        (MARGIN, -1, "reject"),
    ):
        assert gate.decide(settings, measured(found(settings, gain, gain))).outcome == outcome


def test_an_incumbent_without_answers_is_run_again() -> None:
    said = {"incumbent_unanswered": 20, "incumbent_error": "timed out"}
    decision = gate.decide(BETTER, measured(found(BETTER, 0.1, 0.2), **said))
    assert decision.outcome == "inconclusive"
    assert decision.reasons[0].text == (
        "20 cases of the incumbent got no answer or no score; run it again. The first: timed out"
    )


def test_cases_that_the_candidate_has_no_value_on_are_told_and_do_not_pass() -> None:
    dropping = gate.decide(BETTER, measured(found(BETTER, 0.1, 0.2, dropped=7)))
    assert dropping.outcome == "inconclusive"
    assert "no value on 7 cases where the incumbent has one" in dropping.reasons[0].text
    assert gate.decide(BETTER, measured(found(BETTER, -0.2, -0.1, dropped=7))).outcome == "reject"


def test_who_answers_what_the_incumbent_abstains_from_is_held_to_it() -> None:
    gained = found(BETTER, 0.1, 0.2, gained=40, there=0.0)
    decision = gate.decide(BETTER, measured(gained))
    assert decision.outcome == "inconclusive"
    assert "no value on 40 cases where the candidate has one, and its figure there is 0;" in decision.reasons[0].text
    assert gate.decide(BETTER, measured(found(BETTER, -0.2, -0.1, gained=40))).outcome == "reject"
    seeing = (
        {"floors": {"token-f1": 0.5}},
        {"not_worse": {"abstention": 0.0}},
        {"floors": {"abstention": 0.5}},
    )
    for more in seeing:
        settings = Settings(suite="faq", better={"token-f1": 0.02}, **more)
        abstention = Demand(rule="not worse", metric="abstention", by=-0.0)
        holds = found(settings, 0.1, 0.2, demand=abstention)
        assert gate.decide(settings, measured(gained, holds)).outcome == "promote", more
    blind = Settings(suite="faq", better={"token-f1": 0.02}, floors={"false-refusal": 0.0})
    refusing = {"token-f1": Figure(value=0.75), "false-refusal": Figure(value=0.0)}
    assert gate.decide(blind, measured(gained, figures=refusing)).outcome == "inconclusive"


def test_a_gate_with_slices_alone_looks_at_its_metric_before_the_first_release() -> None:
    settings = Settings(suite="faq", slices={"token-f1": 0.1})
    for figures, outcome in (({}, "reject"), ({"token-f1": Figure(value=0.5)}, "promote")):
        decision = gate.decide(settings, Measurements(figures=figures, cases=9, findings=None))
        assert (decision.outcome, len(decision.reasons)) == (outcome, 1)


def test_a_limit_over_few_of_the_cases_needs_a_rule_on_abstaining() -> None:
    rules = {"suite": "faq", "floors": {"faithfulness": 0.9}}

    def decided(cases: int, **more: Any) -> Any:
        faithful = Figure(value=0.95, cases=cases, of=200)
        figures = {"faithfulness": faithful, "abstention": Figure(value=0.9, cases=200, of=200)}
        return gate.decide(Settings(**{**rules, **more}), Measurements(figures=figures, cases=200, findings=()))

    assert decided(100).outcome == "promote"
    few = decided(99)
    assert (few.outcome, "over 99 of 200 cases" in few.reasons[0].text) == ("reject", True)
    assert "rule on abstention or false-refusal" in few.reasons[0].text
    aware = decided(99, floors={"faithfulness": 0.9, "abstention": 0.8})
    assert (aware.outcome, "over 99 of 200 cases" in aware.reasons[0].text) == ("promote", True)


def test_a_slice_to_which_a_metric_does_not_apply_is_skipped_but_not_every_slice() -> None:
    settings = Settings(suite="faq", slices={"token-f1": 0.1})
    slices = ("billing", "chat")
    demands = gate.demands(settings, slices)
    good = found(settings, 0.0, 0.1, slices=slices)
    decision = gate.decide(settings, measured(good, slices=slices, silent=demands[1:]))
    assert decision.outcome == "promote"
    assert "applies to no case of either" in decision.reasons[1].text
    figures = {"token-f1": Figure(value=0.5)}
    for tags, silent in ((slices, demands), ((), ())):
        nothing = Measurements(figures=figures, cases=9, findings=(), slices=tags, silent=silent)
        assert gate.decide(settings, nothing).outcome == "inconclusive", "nothing was compared"


def test_no_difference_at_all_is_no_better() -> None:
    settings = Settings(suite="faq", better={"token-f1": 0.0})
    assert gate.decide(settings, measured(found(settings, 0.0, 0.0))).outcome == "reject"


def test_a_case_without_an_answer_does_not_pass() -> None:
    decision = gate.decide(BETTER, measured(found(BETTER, 0.1, 0.2), unanswered=3, first_error="no connection"))
    assert decision.outcome == "reject"
    assert decision.reasons[0].text.startswith("3 of 100 cases got no answer or no score")
    assert "no connection" in decision.reasons[0].text
    assert gate.decide(BETTER, Measurements(figures={}, cases=0, findings=())).outcome == "reject"


def test_the_first_release_is_held_to_limits_only() -> None:
    settings = Settings(suite="faq", better={"token-f1": 0.0}, floors={"token-f1": 0.5})
    for value, outcome in ((0.6, "promote"), (0.4, "reject")):
        figures = {"token-f1": Figure(value=value)}
        decision = gate.decide(settings, Measurements(figures=figures, cases=9, findings=None))
        assert decision.outcome == outcome
        assert "nothing is released yet" in decision.reasons[0].text


def test_reasons_can_be_read_by_who_has_to_decide() -> None:
    open_, shown, refuted = (
        gate.decide(BETTER, measured(found(BETTER, *ends, more=310))).reasons[0].text
        for ends in ((0.01, 0.09), (0.03, 0.05), (-0.05, -0.03))
    )
    assert open_ == (
        "token-f1: 0.6 → 0.65, better by 0.05 (+0.01 to +0.09). Asked: better by more than 0.02. "
        "100 cases leave it open; about 310 more would settle it."
    )
    graded = gate.decide(BETTER, measured(found(BETTER, 0.01, 0.09, more=40, unit="grades"))).reasons[0].text
    assert graded.endswith("100 cases leave it open; about 40 more grades would settle it.")
    assert shown.endswith("Asked: better by more than 0.02. 100 cases show that it is.")
    assert "worse by 0.04 (−0.05 to −0.03)" in refuted
    assert refuted.endswith("100 cases show that it is not.")
    slower = gate.decide(MARGIN, measured(found(MARGIN, -0.2, 0.0, incumbent=1.2, candidate=1.3))).reasons[0].text
    assert slower.startswith("seconds: 1.2 → 1.3, worse by 0.1 (−0.2 to 0). Asked: at most 0.5 worse.")


def test_a_gate_that_asks_for_nothing_is_no_gate() -> None:
    with pytest.raises(ValidationError, match="demands nothing"):
        Settings(suite="faq")
    for wrong in ({"better": {"x": -1}}, {"not_worse": {"x": math.inf}}, {"floors": {"x": math.nan}}, {"alpha": 0.5}):
        with pytest.raises(ValidationError):
            Settings(suite="faq", **{"better": {"y": 0.0}, **wrong})  # type: ignore[arg-type]


numbers = st.floats(-1, 1)
OUTCOMES = {True: "promote", None: "inconclusive", False: "reject"}


@given(st.lists(st.tuples(st.sampled_from(["better", "not worse"]), numbers, numbers), min_size=1, max_size=5))
def test_one_rule_that_is_not_met_is_enough(rules: list[tuple[str, float, float]]) -> None:
    better = {f"m{at}": 0.1 for at, (rule, _, _) in enumerate(rules) if rule == "better"}
    not_worse = {f"m{at}": 0.1 for at, (rule, _, _) in enumerate(rules) if rule != "better"}
    settings = Settings(suite="faq", better=better, not_worse=not_worse)
    ends = {f"m{at}": sorted((x, y)) for at, (_, x, y) in enumerate(rules)}
    findings = [found(settings, *ends[one.metric], at=at) for at, one in enumerate(gate.demands(settings))]
    decision = gate.decide(settings, measured(*findings))
    shown = [one.shown for one in findings]
    assert [reason.outcome for reason in decision.reasons] == [OUTCOMES[one] for one in shown]
    assert decision.outcome == OUTCOMES[False if False in shown else None if None in shown else True]


@given(numbers, numbers, st.floats(0, 1))
def test_an_interval_never_shows_a_demand_and_its_opposite(one: float, other: float, by: float) -> None:
    low, high = sorted((one, other))
    better = gate.shown(Demand(rule="better", metric="m", by=by), low, high)
    worse = gate.shown(Demand(rule="not worse", metric="m", by=by), low, high)
    assert (better, worse) in {(True, True), (None, None), (False, False), (None, True), (False, None), (False, True)}


def test_a_gate_in_the_file_need_not_say_what_it_uses(tmp_path: Path) -> None:
    raw = {"gate": {"main": {"suite": "faq", "better": {"token-f1": 0}}}}
    table = config.validate(raw, tmp_path / "gatewheel.toml").table("gate", "main")
    assert (table.use, table.settings) == ("margins", Settings(suite="faq", better={"token-f1": 0.0}))
    assert gate.create(BETTER).decide(measured(found(BETTER, 0.03, 0.05))).outcome == "promote"
    for wrong, told in (
        ({"suite": "faq"}, r"\[gate.main\]: demands nothing"),
        ({"suite": "faq", "better": {"f1": -1}}, r"\[gate.main\] better.f1: must be at least 0, got -1"),
        (
            {"suite": "faq", "app": "mian", "floors": {"f1": 1}},
            r"\[gate.main\] app: no \[app.mian\]; did you mean 'main'",
        ),
        ({"suite": "faq", "flors": {"f1": 1}}, r"\[gate.main\] flors: is not a setting; did you mean 'floors'"),
    ):
        with pytest.raises(ConfigError, match=told):
            config.validate({"gate": {"main": wrong}}, tmp_path / "gatewheel.toml")
