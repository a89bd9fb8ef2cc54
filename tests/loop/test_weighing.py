"""How often a gate errs, over thousands of simulated suites: a candidate that should not pass does so at most alpha."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats

from gatewheel.evals.metrics import macro_f1
from gatewheel.evals.metrics.classes import Settings as Classes
from gatewheel.kernel.nouns import Case, Report, Scored
from gatewheel.loop.columns import dropped
from gatewheel.loop.weighing import Looking, finding, independent, more, weigh
from gatewheel.ops import gate
from gatewheel.ops.gate import Settings

CASES = 60


class Score:
    """A metric that is the mean of numbers within bounds."""

    def __init__(self, bounds: tuple[float, float] = (0.0, 1.0), better: Literal["higher", "lower"] = "higher") -> None:
        self.bounds = bounds
        self.better: Literal["higher", "lower"] = better

    def score(self, case: Any, answer: Any) -> float:
        raise NotImplementedError

    def figure(self, rows: Any) -> float:
        return float(rows.mean())


@dataclass(frozen=True, slots=True)
class Labelled:
    """A report of a classifier: the classes that it names and the right ones, 0 or 1."""

    variant: str
    named: Any
    right: Any

    def report(self) -> Report:
        pairs = zip(self.named.tolist(), self.right.tolist(), strict=True)
        rows = tuple(Scored(case=f"c{at}", values={"m": pair}) for at, pair in enumerate(pairs))
        made = report(self.variant, ())
        return replace(made, rows=rows)


def report(variant: str, scores: Any, *, cluster: Callable[[int], str] = lambda _: "", tags: Any = ()) -> Report:
    values = [None if np.isnan(score) else (float(score),) for score in scores]
    rows = tuple(
        Scored(case=f"c{at}", values={"m": value}, cluster=cluster(at), tags=tags) for at, value in enumerate(values)
    )
    return Report(id=variant, created=0.0, suite="s", suite_id="s", variant=variant, corpus="", rows=rows)


def binary(rng: Any, lost: float) -> tuple[Any, Any]:
    """Right or wrong, 30 % of the cases differ, and the candidate is worse by `lost` in expectation."""
    kind = rng.choice(3, CASES, p=[0.15 - lost / 2, 0.15 + lost / 2, 0.7])
    same = rng.random(CASES) < 0.75
    return np.where(kind < 2, kind == 1, same).astype(float), np.where(kind < 2, kind == 0, same).astype(float)


def graded(rng: Any, lost: float) -> tuple[Any, Any]:
    """Skewed scores between 0 and 1; the candidate's are worse by `lost` in expectation."""
    before = rng.beta(4, 1.5, CASES) * 0.6 + 0.2
    return before, np.clip(before - lost + (rng.beta(2, 6, CASES) - 0.25) * 0.5, 0, 1)


def settled(settings: Settings, before: Any, after: Any, **said: Any) -> str:
    made = weigh(settings, {"m": Score()}, report("b", after), report("a", before), **said)
    return gate.decide(settings, made).outcome


BETTER, MARGIN = Settings(suite="s", better={"m": 0.0}), Settings(suite="s", not_worse={"m": 0.1})


@pytest.mark.parametrize("settings", [BETTER, MARGIN], ids=["better", "not worse"])
@pytest.mark.parametrize(("scores", "suites"), [(binary, 2000), (graded, 700)], ids=["binary", "graded"])
def test_who_should_not_pass_does_so_at_most_alpha_of_the_time(settings: Settings, scores: Any, suites: int) -> None:
    rng, lost = np.random.default_rng(7), settings.not_worse.get("m", 0.0)
    passed = sum(settled(settings, *scores(rng, lost)) == "promote" for _ in range(suites)) / suites
    assert passed <= settings.alpha + 2 * (settings.alpha * (1 - settings.alpha) / suites) ** 0.5
    assert passed >= settings.alpha / 3, "it is not merely blind"


@pytest.mark.parametrize("settings", [BETTER, MARGIN], ids=["better", "not worse"])
def test_so_it_is_with_a_look_after_every_five_cases(settings: Settings) -> None:
    rng, lost, suites, passed = np.random.default_rng(7), settings.not_worse.get("m", 0.0), 300, 0
    looking = Looking(order=tuple(f"c{at}" for at in range(CASES)), complete=False)
    for _ in range(suites):
        before, after = binary(rng, lost)
        looks = range(5, CASES + 1, 5)
        passed += any(settled(settings, before[:n], after[:n], looking=looking) == "promote" for n in looks)
    assert passed / suites <= settings.alpha


def test_a_large_loss_is_seen_long_before_the_end() -> None:
    rng = np.random.default_rng(7)
    looking = Looking(order=tuple(f"c{at}" for at in range(CASES)), complete=False)
    for _ in range(50):
        before = (rng.random(CASES) < 0.9).astype(float)
        assert settled(MARGIN, before[:40], np.zeros(40), looking=looking) == "reject"
        assert settled(MARGIN, before, np.zeros(CASES)) == "reject"


def test_what_cannot_be_bet_on_waits_for_all_cases() -> None:
    before, after = np.full(CASES, 5.0), np.linspace(1, 3, CASES)
    settings = Settings(suite="s", better={"m": 0.0})
    seconds = {"m": Score(bounds=(0.0, inf), better="lower")}
    order = tuple(f"c{at}" for at in range(CASES))
    for complete, outcome in ((False, "inconclusive"), (True, "promote")):
        looking = Looking(order=order, complete=complete)
        made = weigh(settings, seconds, report("b", after), report("a", before), looking=looking)
        assert gate.decide(settings, made).outcome == outcome


def test_a_gain_is_positive_where_low_is_good() -> None:
    rng = np.random.default_rng(7)
    before = rng.random(CASES)
    (demand,) = gate.demands(BETTER)
    for better, sign in (("higher", 1), ("lower", -1)):
        metric = Score(better=better)  # type: ignore[arg-type]
        found = finding(demand, metric, report("b", before * 0.5), report("a", before), alpha=0.05)
        assert found is not None
        assert np.sign(found.gain) == -sign
        assert found.low < found.gain < found.high
        assert found.shown is (sign < 0)


def test_cases_of_one_cluster_count_as_what_they_are_worth() -> None:
    before, after = np.repeat([0.0, 1.0], 30), np.ones(60)
    (demand,) = gate.demands(BETTER)
    alone, together = (
        finding(demand, Score(), report("b", after, cluster=of), report("a", before, cluster=of), alpha=0.05)
        for of in (lambda _: "", lambda at: f"d{at // 20}")
    )
    assert alone is not None
    assert together is not None
    assert (alone.shown, together.high - together.low > alone.high - alone.low) == (True, True)
    cases = [Case(id=f"c{at}", question="?", cluster=f"d{at // 2}" if at < 4 else "") for at in range(9)]
    assert not independent(cases)
    assert independent(cases[3:])


def test_only_cases_with_a_value_of_both_are_compared_and_slices_stand_alone() -> None:
    before, after = np.full(40, 0.5), np.full(40, 0.75)
    after[:10] = np.nan
    settings = Settings(suite="s", not_worse={"m": 0.1}, slices={"m": 0.1})
    made = weigh(settings, {"m": Score()}, report("b", after), report("a", before), slices=["absent"])
    assert made.findings is not None
    assert [(one.cases, one.dropped) for one in made.findings] == [(30, 10)]
    decision = gate.decide(settings, made)
    assert [reason.outcome for reason in decision.reasons] == ["inconclusive", "reject"]
    assert "no value on 10 cases where the incumbent has one" in decision.reasons[0].text
    assert "could not be compared" in decision.reasons[1].text


def chance_of_passing(cases: int, lost: float) -> float:
    """Of a candidate that never wins and loses each case with this chance, which is the margin in macro-F1.

    Who passes depends on the losses in each of the two classes alone, so chances are summed up and nothing is drawn.
    """
    metric, half = macro_f1.create(Classes(classes=("a", "b"))), cases // 2
    right = np.repeat([0.0, 1.0], half)
    (demand,) = gate.demands(Settings(suite="s", not_worse={"m": lost}))

    def passes(some: int, others: int) -> bool:
        named = right.copy()
        named[:some], named[half : half + others] = 1.0, 0.0
        before, after = Labelled("a", right, right).report(), Labelled("b", named, right).report()
        found = finding(demand, metric, after, before, alpha=0.05)
        return found is not None and found.shown is True

    seen = int(lost * cases)  # who lost as much as that in the sample is not taken for better than that
    pairs = [(some, others) for some in range(seen + 1) for others in range(some, seen + 1 - some)]
    losses = stats.binom(half, lost).pmf
    total = 0.0
    for some, others in pairs:
        chance = float((2 - (some == others)) * losses(some) * losses(others))
        total += chance if chance < 1e-5 or passes(some, others) else 0.0  # what hardly happens is counted as passing
    return total


@pytest.mark.parametrize(("cases", "lost"), [(30, 0.05), (60, 0.03), pytest.param(60, 0.3, marks=pytest.mark.slow)])
def test_so_it_is_with_macro_f1_where_the_candidate_only_loses(cases: int, lost: float) -> None:
    assert chance_of_passing(cases, lost) <= 0.05


def test_what_has_no_mean_passes_when_enough_cases_differ_and_the_gain_is_plain() -> None:
    metric = macro_f1.create(Classes(classes=("a", "b")))
    right = np.tile([0.0, 1.0], 40)
    before, after = (Labelled("x", np.where(np.arange(80) < wrong, 1 - right, right), right) for wrong in (20, 2))
    (demand,) = gate.demands(BETTER)
    found = finding(demand, metric, after.report(), before.report(), alpha=0.05)
    assert found is not None
    assert found.shown is True
    (margin,) = gate.demands(MARGIN)
    same = finding(margin, metric, before.report(), before.report(), alpha=0.05)
    assert same is not None
    assert (same.shown, same.low, same.high) == (None, -inf, inf)


def test_identical_answers_pass_a_margin_only_where_bounds_say_what_one_more_case_could_do() -> None:
    alike = np.full(100, 0.5)
    for metric, outcome in ((Score(), "promote"), (Score(bounds=(0.0, inf), better="lower"), "inconclusive")):
        made = weigh(MARGIN, {"m": metric}, report("b", alike), report("a", alike))
        decision = gate.decide(MARGIN, made)
        assert decision.outcome == outcome
        assert "−0 " not in decision.reasons[0].text
        assert "−0)" not in decision.reasons[0].text


def test_who_failed_as_the_incumbent_promotes_nobody() -> None:
    before, after = np.repeat([1.0, 0.0], [40, 20]), np.repeat([1.0, 0.0], [50, 10])
    failing = report("a", before)
    why = "ModelError: nothing for 'What does Ada owe?'"
    rows = tuple(replace(row, error=why) if at >= 40 else row for at, row in enumerate(failing.rows))
    made = weigh(BETTER, {"m": Score()}, report("b", after), replace(failing, rows=rows))
    assert (made.incumbent_unanswered, made.unanswered) == (20, 0)
    assert made.incumbent_error == f"case {rows[40].case}, ModelError; its report says why", "never what it quotes"
    assert gate.decide(BETTER, made).outcome == "inconclusive"


def test_who_abstains_from_what_is_hard_does_not_pass() -> None:
    before, after = np.repeat([1.0, 0.3], [20, 40]), np.repeat([1.0, np.nan], [20, 40])
    settings = Settings(suite="s", not_worse={"m": 0.25}, floors={"m": 0.95})
    made = weigh(settings, {"m": Score()}, report("b", after), report("a", before))
    assert (made.figures["m"].cases, made.figures["m"].of) == (20, 60)
    assert [one.outcome for one in gate.decide(settings, made).reasons] == ["inconclusive", "reject"]
    first = weigh(settings, {"m": Score()}, report("b", after), None)
    assert (first.figures["m"].cases, first.figures["m"].of) == (20, 60)
    assert [one.outcome for one in gate.decide(settings, first).reasons] == ["promote", "reject"]


def test_who_invents_answers_where_the_incumbent_abstains_does_not_pass() -> None:
    before, after = np.repeat([0.975, np.nan], [60, 40]), np.repeat([0.975, 0.0], [60, 40])
    settings = Settings(suite="s", not_worse={"m": 0.2})
    made = weigh(settings, {"m": Score()}, report("b", after), report("a", before))
    assert made.findings is not None
    assert [(one.cases, one.gained, one.there, one.shown) for one in made.findings] == [(60, 40, 0.0, True)]
    assert gate.decide(settings, made).outcome == "inconclusive"


def test_about_how_many_more_cases_would_settle_it_is_told_and_fewer_where_there_are_fewer_by_now() -> None:
    before, after = np.repeat([0.0, 1.0, 1.0], [30, 22, 48]), np.repeat([1.0, 0.0, 1.0], [30, 22, 48])
    (demand,) = gate.demands(BETTER)
    found = finding(demand, Score(), report("b", after), report("a", before), alpha=0.05)
    assert found is not None
    assert found.shown is None
    assert found.more is not None
    assert found.more > 100
    few = more(found, alpha=0.05, n=10)
    assert few is not None
    assert few == pytest.approx(found.more / 10, rel=0.1)


def test_a_repeat_that_was_not_asked_is_not_a_value_that_is_missing() -> None:
    once, thrice = (
        replace(made, rows=tuple(replace(row, repeat=at) for at in times for row in made.rows))
        for made, times in ((report("b", np.full(9, 0.5)), (0,)), (report("a", np.full(9, 0.5)), (0, 1, 2)))
    )
    assert not dropped(thrice, once, "m")
    blank = replace(thrice, rows=(replace(thrice.rows[0], values={"m": None}), *thrice.rows[1:]))
    assert dropped(thrice, blank, "m") == {"c0"}


def test_a_slice_to_which_a_metric_never_applies_is_skipped_at_the_end() -> None:
    settings = Settings(suite="s", slices={"m": 0.1})

    def tagged(variant: str, silent: Any) -> Report:
        made = report(variant, np.full(80, 0.5))
        rows = (replace(row, tags=("chat",) if at < 20 else ("facts",)) for at, row in enumerate(made.rows))
        return replace(
            made, rows=tuple(replace(row, values={"m": silent}) if "chat" in row.tags else row for row in rows)
        )

    def decided(mine: Any, theirs: Any, **said: Any) -> list[str]:
        made = weigh(settings, {"m": Score()}, tagged("b", mine), tagged("a", theirs), slices=("chat", "facts"), **said)
        return [one.outcome for one in gate.decide(settings, made).reasons]

    assert decided(None, None) == ["promote", "promote"]
    assert decided(None, (0.5,)) == ["reject", "promote"]
    assert decided(None, None, looking=Looking(complete=False))[0] == "reject", "a later case may have a value"
